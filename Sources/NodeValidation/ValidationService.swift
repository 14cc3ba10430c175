import ClusterAPI
import ClusterModel
import Forming
import Foundation
import Logging
import Membership
import NodeIdentity
import NodeService
import ServiceLifecycle
import Validation
import ValidationReport

/// Tests the configuration of this node and others, and is what other nodes ask when they do.
///
/// It uses what ``NodeService`` has, the way to the SAN, the peers, the engine that moves machines, and owns what validations hold here.
public actor ValidationService: ValidationOperations, Service {
    private nonisolated let service: NodeService
    private nonisolated let logger: Logger
    private let validations = ValidationBook()
    private nonisolated let probeResources: ProbeResources
    private nonisolated let reservationTraces: ReservationTraces
    private nonisolated let probeGuests: ProbeGuests
    nonisolated let reports: ReportKeeper

    /// Ends guests of tests that an earlier service left running.
    public init(of service: NodeService, logger: Logger) async {
        self.service = service
        self.logger = logger
        let directories = service.configuration.directories
        probeResources = ProbeResources(logger: logger)
        reservationTraces = ReservationTraces(state: directories.state, storage: service.storage, logger: logger)
        probeGuests = ProbeGuests(runtime: directories.runtime)
        reports = Self.reportKeeper(service, logger)
        await ProbeGuests.sweep(runtime: directories.runtime, logger: logger)
    }

    /// Takes back what an earlier service left on disks and shares, and what tests leave there, until cancelled.
    public func run() async {
        await cancelWhenGracefulShutdown { [reservationTraces, reports] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await reservationTraces.keepClean() }
                group.addTask { await self.cleanUpAfterValidations() }
                group.addTask { await reports.keepComplete() }
                await group.waitForAll()
            }
        }
        await validations.stop()
        await probeResources.close()
    }

    public func validationOffer() async throws(APIError) -> ValidationOffer {
        var disks: [SharedDiskStatus] = []
        var problem: String?
        do { disks = try await service.disks() } catch { problem = error.message }
        return ValidationOffer(
            node: node, nodes: service.peers.nodes.map(\.name), cluster: await clusterName,
            tests: ValidationCatalogue.tests.filter(StepWorks.canRun).map(\.id), disks: disks, diskProblem: problem)
    }

    public func startValidation(_ request: StartValidationRequest) async throws(APIError) -> ValidationStatus {
        let cluster = await clusterName
        var order = try order(request, of: cluster)
        if let state = await service.forming?.engine.view?.state { order.hasWitness = state.witness.witness != .none }
        let targets = try targets(request, in: cluster)
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
            run: request.run, node: configuration.node, configuration: configuration, addresses: localAddresses, host: service.host,
            storage: service.storage, held: probeResources, traces: reservationTraces, guests: probeGuests,
            machines: { [service] in try await service.ownMachines() }, peers: service.peers, forming: service.forming, logger: logger)
        do { return try await NodeProbes.answer(request, context) } catch {
            throw error as? APIError ?? APIError(.failed, "\(error)", node: configuration.node)
        }
    }

    public nonisolated func probeFree(_ request: FreeProbeRequest) async throws(APIError) -> ProbeReply {
        guard let forming = service.forming else {
            throw APIError(.refused, "\(configuration.node) has a fixed list of nodes and takes no tokens.", node: configuration.node)
        }
        if await !probeGuests.admits(request.secret, request.request) { try await forming.desk.check(secret: request.secret) }
        return try await probe(request.request)
    }

    /// What a service that was killed left on disks and shares.
    private nonisolated func cleanUpAfterValidations() async {
        await ProbeTraces(stateFolder: configuration.directories.state).cleanUp(service.storage, logger)
    }

    /// The newest report of all tests for exactly these nodes, as a validation that has ended.
    ///
    /// Tests that this version cannot carry out, and those of a running cluster, do not have to be in it.
    private func recentReport(for nodes: [NodeName], withinSeconds seconds: Int) -> ValidationStatus? {
        let now = WallTime(Date())
        let (age, overflow) = Int64(clamping: seconds).multipliedReportingOverflow(by: 1_000)
        // A folder that cannot be read holds nothing that could stand for a validation.
        let recent = try? reports.folder.recent(for: nodes, now: now, maximumAge: overflow ? .max : age) { test in
            test.category != .cluster && ValidationCatalogue.test(test).map(StepWorks.canRun) ?? false
        }
        return recent.map { ValidationStatus(of: $0.run, report: $0.report.html) }
    }

    // MARK: What is asked for

    private func unknown(_ id: UUID) -> APIError {
        error(.notFound, "\(node) knows no validation \(id). It was ordered at another node, or its report was removed.")
    }

    private nonisolated var configuration: NodeConfiguration { service.configuration }
    private nonisolated var node: NodeName { configuration.node }

    private func error(_ code: APIError.Code, _ message: String) -> APIError { APIError(code, message, node: node) }

    /// Of a member, or the fixed list's.
    private var clusterName: ClusterName? {
        get async { await service.member?.cluster ?? (try? ClusterName(configuration.cluster)) }
    }

    private nonisolated var localAddresses: LocalAddresses {
        service.forming?.settings.addresses
            ?? LocalAddresses(cluster: configuration.ownAddress.cluster, migration: configuration.ownAddress.migration)
    }

    private func order(_ request: StartValidationRequest, of cluster: ClusterName?) throws(APIError) -> ValidationOrder {
        var chosen: TestSelection
        do { chosen = try TestSelection(request.tests, excluding: request.skip) } catch { throw self.error(.invalid, error.description) }
        var skip = request.skip
        // What a cluster as a whole must be cannot be asked of nodes that are not in it yet.
        if cluster != nil, !request.tokens.isEmpty, chosen.tests.contains(where: { $0.category != .cluster }) {
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
            allEmptyDisks: request.allEmptyDisks ?? false, shares: request.shares, cluster: cluster, hasWitness: false,
            requestedBy: service.requester)
    }

    private func targets(_ request: StartValidationRequest, in cluster: ClusterName?) throws(APIError) -> [ValidationTarget] {
        let own = ValidationTarget(
            own: node, address: configuration.ownAddress.cluster, socketPath: configuration.directories.apiSocket,
            isMember: cluster != nil)
        var others: [ValidationTarget] = []
        for peer in service.peers.nodes where peer.name != node {
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
                    cluster == nil
                        ? "There is no token of \(name). Run `apus node token` on \(name) and give its word with --token."
                        : "\(name) is no member of \(service.peers.cluster).")
            }
            chosen.append(target)
        }
        return chosen
    }
    private static let mostValidatedNodes = 32
}
