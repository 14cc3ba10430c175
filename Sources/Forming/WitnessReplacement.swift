import ClusterAPI
import ClusterModel
import Foundation

/// Gives a running cluster another witness, or none.
///
/// The new one is initialised, the old one loses its vote, the configuration names the new one, and only then that one gets a vote: at no
/// time do two copies count as one. If it fails, the old witness is what it was.
public struct WitnessReplacement: Sendable {
    private let wanted: Witness
    private let force: Bool
    private let member: MemberRecord
    private let engine: any MemberEngine
    private let preparation: any WitnessPreparation
    private let requestedBy: String
    private let operation: UUID
    private let limits: Limits

    public struct Limits: Sendable {
        /// Until the old witness has lost its vote.
        public var release = Duration.seconds(20)
        /// Until the new one has got it.
        public var count = Duration.seconds(45)
        /// How long every node may take to let go of the old one.
        public var letGo = Duration.seconds(3)
        public var poll = Duration.milliseconds(100)
        public init() {}
    }

    /// - Parameter operation: What the configuration knows it as; whoever drives it must end it if that could not be done here.
    public init(
        _ wanted: Witness, force: Bool, member: MemberRecord, engine: any MemberEngine, preparation: any WitnessPreparation,
        requestedBy: String, operation: UUID, limits: Limits = Limits()
    ) {
        self.wanted = wanted
        self.force = force
        self.member = member
        self.engine = engine
        self.preparation = preparation
        self.requestedBy = requestedBy
        self.operation = operation
        self.limits = limits
    }

    /// - Returns: Sentences about how it ended.
    public func run(_ report: @escaping @Sendable (String) async -> Void) async throws -> String {
        let before = try await configuration()
        let old = before.witness.witness
        guard wanted != old else { throw APIError(.refused, "\(Self.subject(wanted)) is what the cluster has already.") }
        let number: UInt64 = wanted == .none ? 0 : .random(in: 1 ... .max)
        if wanted != .none {
            try await preparation.initialize(wanted, cluster: member.clusterID, name: member.cluster, number: number, force: force)
            await report("the \(wanted) is initialised")
        }
        do {
            try await exchange(number, before, report)
        } catch {
            // Also when what failed was a cancellation, so it runs in a task that nobody cancels.
            let leftovers = await Task { await takeBack(number, "\(error)") }.value
            throw APIError(failed: error, leftovers: leftovers)
        }
        let left = await letGo(of: old)
        return try await ([counted(number)] + left).joined(separator: "\n")
    }

    private func exchange(
        _ number: UInt64, _ before: ClusterState, _ report: @escaping @Sendable (String) async -> Void
    ) async throws {
        try await engine.propose(
            .beginOperation(
                operation: PendingOperation(
                    id: operation, kind: .replaceWitness, subject: nil, driver: member.nodeID, beganAt: WallTime(Date()),
                    step: "taking the vote of the old witness")), requestedBy: requestedBy)
        let end = ContinuousClock.now + limits.release
        while try await configuration().votes.witness > 0 {
            guard ContinuousClock.now < end else {
                throw APIError(
                    .refused,
                    "The nodes that are here have no majority without the \(before.witness.witness), so it cannot be taken away. "
                        + "Start the others first.")
            }
            try await Task.sleep(for: limits.poll)
        }
        if before.witness.witness != .none { await report("the \(before.witness.witness) has no vote any more") }
        if case .disk(let id) = wanted, before.disks[id] == nil {
            let disk = ClusterDisk(id: id, use: .witness, addedAt: WallTime(Date()))
            try await engine.propose(.addDisk(disk: disk), requestedBy: requestedBy)
        }
        try await engine.propose(.setWitness(witness: wanted, number: number), requestedBy: requestedBy)
        try await engine.propose(.endOperation(id: operation, problem: nil), requestedBy: requestedBy)
        await report("the configuration names \(wanted == .none ? "no witness" : "the \(wanted)")")
    }

    /// - Returns: What could not be taken back, in sentences.
    private func takeBack(_ number: UInt64, _ reason: String) async -> [String] {
        guard let state = await engine.configuration() else { return ["Whether the witness was replaced is not known."] }
        var leftovers: [String] = []
        if state.operations[operation.uuidString] != nil {
            do throws(APIError) {
                try await engine.propose(.endOperation(id: operation, problem: reason), requestedBy: requestedBy)
            } catch { leftovers.append("The replacement is ended as soon as the configuration can be changed (\(error.message)).") }
        }
        guard wanted != .none else { return leftovers }
        guard state.witness.number != number else {
            return leftovers + ["The configuration names the new witness already; it stays. See: apus cluster quorum"]
        }
        do throws(APIError) {
            try await preparation.clear(wanted, cluster: member.clusterID)
            if case .disk(let id) = wanted, state.disks[id]?.use == .witness {
                try await engine.propose(.removeDisk(disk: id), requestedBy: requestedBy)
            }
        } catch { leftovers.append("The \(wanted) was initialised and could not be cleared: \(error.message)") }
        return leftovers
    }

    /// Makes the old witness an empty one, once nobody writes to it any more.
    private func letGo(of old: Witness) async -> [String] {
        guard old != .none else { return [] }
        var left: [String] = []
        do {
            try await Task.sleep(for: limits.letGo)
            try await preparation.clear(old, cluster: member.clusterID)
        } catch { left.append("The former \(old) was not cleared: \((error as? APIError)?.message ?? "\(error)")") }
        if case .disk(let id) = old {
            do throws(APIError) { try await engine.propose(.removeDisk(disk: id), requestedBy: requestedBy) } catch {
                left.append("The configuration still lists the disk \(id): \(error.message)")
            }
        }
        return left
    }

    /// Waits until the new witness is counted, if it is to be.
    private func counted(_ number: UInt64) async throws -> String {
        guard wanted != .none else { return "The cluster has no witness." }
        let end = ContinuousClock.now + limits.count
        while ContinuousClock.now < end {
            let state = try await configuration()
            guard state.witness.number == number else { return "Another witness has been set meanwhile." }
            if state.votes.witnessID == number, state.votes.witness > 0 { return "The \(wanted) has a vote." }
            let voters = state.votes.nodes.values.filter { $0 > 0 }.count
            if state.votes.witnessID == number, !voters.isMultiple(of: 2) || state.quorum.model == .nodeMajority,
                state.nodes.values.filter({ $0.presence == .up }).count == voters
            {
                return "The \(wanted) is ready. It has no vote while the nodes that are up are an odd number."
            }
            try await Task.sleep(for: limits.poll)
        }
        return "The \(wanted) is set, but has no vote yet: no node has taken it and written it. See: apus cluster quorum"
    }

    private func configuration() async throws(APIError) -> ClusterState {
        guard let state = await engine.configuration() else { throw APIError(.failed, "The configuration is not known any more.") }
        return state
    }

    private static func subject(_ witness: Witness) -> String { witness == .none ? "No witness" : "The \(witness)" }
}
