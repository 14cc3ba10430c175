import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Testing

extension ClusterStage {
    /// Makes a change that is easy to find again.
    ///
    /// - Returns: The new value, which is neither the present one nor `other`.
    func changeSecondsUntilStop(at node: NodeName, not other: Int? = nil) async throws -> Int {
        let before = try #require(await status(node)).secondsUntilStop
        let seconds = try #require((60...70).first { $0 != before && $0 != other })
        let report = try await client(of: node).waiting(.seconds(30)).setQuorum(SetQuorumRequest(secondsUntilStop: seconds))
        #expect(report.secondsUntilStop == seconds)
        return seconds
    }

    /// Waits for an event.
    func event(
        at node: NodeName, after: UInt64, _ what: String, _ isSo: (ClusterEvent) -> Bool
    ) async throws -> ClusterEvent {
        let end = ContinuousClock.now + .seconds(Self.patience)
        while ContinuousClock.now < end {
            if let found = try? await client(of: node).events(after: after).last(where: isSo) { return found }
            try await Task.sleep(for: .milliseconds(100))
        }
        return try #require(nil as ClusterEvent?, "\(node) did not tell \(what) within \(Self.patience) s")
    }
    /// The last event that a node knows.
    func lastEvent(at node: NodeName) async throws -> UInt64 { try await client(of: node).events(after: 0).last?.id ?? 0 }

    /// Gives the cluster another witness.
    ///
    /// - Throws: ``APIError`` with the reason when it failed.
    func setWitness(_ witness: WitnessChoice, force: Bool = false, at node: NodeName) async throws {
        let client = try client(of: node).waiting(.seconds(30))
        try await follow(try await client.setWitness(SetWitnessRequest(witness: witness, force: force)), at: node)
    }

    /// Waits for the end of a change.
    func follow(_ change: ClusterChange, at node: NodeName) async throws {
        for try await step in try await client(of: node).waiting(.seconds(120)).followChange(change.id) {
            guard let outcome = step.outcome else { continue }
            guard outcome == .done else { throw APIError(.failed, step.message ?? "no reason") }
            return
        }
        throw APIError(.unreachable, "The node service stopped telling about the change.")
    }
}
