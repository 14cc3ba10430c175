import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Membership
import NodeIdentity
import Validation
import ValidationReport

/// Testing the configuration of this node and others.
extension NodeService: ValidationOperations {
    public func validationOffer() async throws(APIError) -> ValidationOffer {
        var disks: [SharedDiskStatus] = []
        var problem: String?
        do { disks = try await self.disks() } catch { problem = error.message }
        return ValidationOffer(
            node: node, nodes: peers.nodes.map(\.name), cluster: clusterName,
            tests: ValidationCatalogue.tests.filter(StepWorks.canRun).map(\.id), disks: disks, diskProblem: problem)
    }

    public func startValidation(_ request: StartValidationRequest) async throws(APIError) -> ValidationStatus {
        var order = try order(request)
        if let state = await forming?.engine.view?.state { order.hasWitness = state.witness.witness != .none }
        let targets = try targets(request)
        if let seconds = request.unlessWithinSeconds, let recent = recentReport(for: targets.map(\.node), withinSeconds: seconds) {
            for target in targets { await target.close() }
            return recent
        }
        let reports = reports
        let runner = ValidationRunner(order: order, targets: targets, logger: logger) { run in
            let page = try await reports.keep(run).html
            // Once the run has ended every member that answers has its report.
            await reports.tell()
            return page
        }
        if let status = await validations.begin(runner.first(), work: { report in await runner.run(report) }) { return status }
        for target in targets { await target.close() }
        throw error(.busy, "\(node) validates already. Wait for its end, or cancel it.")
    }

    public func followValidation(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ValidationStatus, any Error> {
        guard let stream = await validations.follow(id) else { throw unknown(id) }
        return stream
    }

    public func cancelValidation(_ id: UUID) async throws(APIError) -> ValidationStatus {
        guard let status = await validations.cancel(id) else { throw unknown(id) }
        return status
    }

    public func validationReport(_ id: UUID) async throws(APIError) -> ValidationRun {
        if let run = await validations.run(id) { return run }
        // Members fetch a report before its run has quite ended: it ends once they have it.
        do { return try reports.folder.load(id.uuidString).run } catch {
            guard case .unknown = error else { throw self.error(.failed, error.description) }
            guard await validations.status(id) == nil else { throw self.error(.refused, "This validation has not ended yet.") }
            throw unknown(id)
        }
    }

    public nonisolated func probe(_ request: ProbeRequest) async throws(APIError) -> ProbeReply {
        let context = ProbeContext(
            run: request.run, node: configuration.node, configuration: configuration, addresses: localAddresses, host: host,
            storage: storage, held: probeResources, traces: reservationTraces, guests: probeGuests,
            machines: { try await self.ownMachines() }, peers: peers, forming: forming, logger: logger)
        do { return try await NodeProbes.answer(request, context) } catch {
            throw error as? APIError ?? APIError(.failed, "\(error)", node: configuration.node)
        }
    }

    public nonisolated func probeFree(_ request: FreeProbeRequest) async throws(APIError) -> ProbeReply {
        guard let forming else {
            throw APIError(.refused, "\(configuration.node) has a fixed list of nodes and takes no tokens.", node: configuration.node)
        }
        if await !probeGuests.admits(request.secret, request.request) { try await forming.desk.check(secret: request.secret) }
        return try await probe(request.request)
    }

    /// What a service that was killed left on disks and shares.
    nonisolated func cleanUpAfterValidations() async {
        await ProbeTraces(stateFolder: configuration.directories.state).cleanUp(storage, logger)
    }

    /// The newest report of all tests for exactly these nodes, as a validation that has ended.
    ///
    /// Tests that this version cannot carry out, and those of a running cluster, do not have to be in it.
    private func recentReport(for nodes: [NodeName], withinSeconds seconds: Int) -> ValidationStatus? {
        let now = WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
        let (age, overflow) = Int64(clamping: seconds).multipliedReportingOverflow(by: 1_000)
        // A folder that cannot be read holds nothing that could stand for a validation.
        let recent = try? reports.folder.recent(for: nodes, now: now, maximumAge: overflow ? .max : age) { test in
            test.category != .cluster && ValidationCatalogue.test(test).map(StepWorks.canRun) ?? false
        }
        return recent.map { ValidationStatus(of: $0.run, report: $0.report.html) }
    }

    /// What the history of a cluster says of the validation before a change.
    nonisolated func note(of validation: PriorValidation?, before what: String) -> EventNote {
        guard let id = validation?.run else {
            let how = validation == nil ? "without a validation" : "and the validation was left out on purpose (--skip-validation)"
            return EventNote(node: nil, severity: .warning, cause: nil, sentence: "\(what) \(how).")
        }
        do {
            let verdict = RunVerdict(try reports.folder.load(id.uuidString).run)
            return EventNote(
                node: nil, severity: verdict.verdict == .failure ? .warning : .information, cause: nil,
                sentence:
                    "\(what) after validation \(id.uuidString.prefix(8).lowercased()), kept on \(configuration.node): \(verdict.sentence).")
        } catch {
            return EventNote(
                node: nil, severity: .warning, cause: "\(error)",
                sentence: "\(what) after validation \(id.uuidString.prefix(8).lowercased()), whose report is not on \(configuration.node).")
        }
    }

    // MARK: What is asked for

    private func unknown(_ id: UUID) -> APIError {
        error(.notFound, "\(node) knows no validation \(id). It was ordered at another node, or its report was removed.")
    }

    private var clusterName: ClusterName? { member?.cluster ?? (try? ClusterName(configuration.cluster)) }

    nonisolated var localAddresses: LocalAddresses {
        forming?.settings.addresses
            ?? LocalAddresses(cluster: configuration.ownAddress.cluster, migration: configuration.ownAddress.migration)
    }

    private func order(_ request: StartValidationRequest) throws(APIError) -> ValidationOrder {
        var chosen: TestSelection
        do { chosen = try TestSelection(request.tests, excluding: request.skip) } catch { throw self.error(.invalid, error.description) }
        var skip = request.skip
        // What a cluster as a whole must be cannot be asked of nodes that are not in it yet.
        if clusterName != nil, !request.tokens.isEmpty, chosen.tests.contains(where: { $0.category != .cluster }) {
            skip.append(ValidationCategory.cluster.rawValue)
            do { chosen = try TestSelection(request.tests, excluding: skip) } catch { throw self.error(.invalid, error.description) }
        }
        let unavailable = chosen.tests.filter { !StepWorks.canRun($0) }.map(\.id)
        var selection = chosen
        if !unavailable.isEmpty {
            do { selection = try TestSelection(request.tests, excluding: skip + unavailable.map(\.description)) } catch {
                throw self.error(
                    .refused,
                    "Apus \(ApusVersion.current) on \(node) cannot carry out \(unavailable.map(\.description).joined(separator: ", ")) yet."
                )
            }
        }
        for share in request.shares where !share.hasPrefix("/") {
            throw error(.invalid, "\"\(share)\" is no mount point: write its path from the root.")
        }
        return ValidationOrder(
            terms: chosen.terms, selection: selection, unavailable: unavailable, disks: request.disks,
            allEmptyDisks: request.allEmptyDisks ?? false, shares: request.shares, cluster: clusterName, hasWitness: false,
            requestedBy: requester)
    }

    private func targets(_ request: StartValidationRequest) throws(APIError) -> [ValidationTarget] {
        let own = ValidationTarget(
            own: node, address: configuration.ownAddress.cluster, socketPath: configuration.directories.apiSocket,
            isMember: clusterName != nil)
        var others: [ValidationTarget] = []
        for peer in peers.nodes where peer.name != node {
            others.append(try ValidationTarget(member: peer, port: configuration.apiPort, identity: configuration.directories.identity))
        }
        for token in request.tokens {
            let target = try ValidationTarget(token: token)
            guard target.node != node else {
                throw error(.invalid, "One of the tokens is of \(node), the node that is asked; it needs none.")
            }
            guard !others.contains(where: { $0.node == target.node }) else {
                throw error(.invalid, "Two of the tokens are of \(target.node). Give one of each node.")
            }
            others.append(target)
        }
        let all = [own] + others.sorted { $0.node < $1.node }
        guard all.count <= Self.mostValidatedNodes else {
            throw error(.invalid, "At most \(Self.mostValidatedNodes) nodes are validated at a time.")
        }
        guard !request.nodes.isEmpty else { return all }
        guard Set(request.nodes).count == request.nodes.count else { throw error(.invalid, "A node is named twice.") }
        var chosen: [ValidationTarget] = []
        for name in request.nodes {
            guard let target = all.first(where: { $0.node == name }) else {
                throw error(
                    .invalid,
                    clusterName == nil
                        ? "There is no token of \(name). Run `apus node token` on \(name) and give its word with --token."
                        : "\(name) is no member of \(peers.cluster).")
            }
            chosen.append(target)
        }
        return chosen
    }
    private static let mostValidatedNodes = 32
}
