import ClusterModel
import Foundation

/// What becomes of a node that was being taken in when the one that took it in died: what the leader of an open epoch proposes.
///
/// A node that is up by then is a member, and the addition is done. One that was told to become a member comes up within seconds; one that
/// was not told, never. So after a while it is taken out again, as if it had not been added.
///
/// Pure: the time comes in.
public struct AdditionWatch: Hashable, Sendable {
    /// How long a new member may take to come up. It has no vote and owns nothing, so nobody waits for it meanwhile.
    public static let patience = Duration.seconds(20)
    private var abandonedSince: [UUID: Duration] = [:]

    public init() {}

    /// - Parameters:
    ///   - ring: Nodes that are there.
    ///   - now: Never goes back.
    public mutating func due(_ state: ClusterState, ring: [NodeID], now: Duration) -> ClusterCommand? {
        let abandoned = state.operations.values.filter { operation in
            operation.kind == .addNode && (operation.step == PendingOperation.abandoned || !ring.contains(operation.driver))
        }.sorted { $0.id.uuidString < $1.id.uuidString }
        abandonedSince = abandonedSince.filter { known, _ in abandoned.contains { $0.id == known } }
        for operation in abandoned {
            let since = abandonedSince[operation.id] ?? now
            abandonedSince[operation.id] = since
            let node = operation.subject.flatMap { state.nodes[$0] }
            // Lost since is a member too: it has been up.
            if let node, node.presence != .stopped { return .endOperation(id: operation.id, problem: nil) }
            guard now - since >= Self.patience else { continue }
            let driver = state.name(of: operation.driver)
            if let node { return .evictNode(node: node.id, reason: "\(driver), which was adding it, ended meanwhile.") }
            return .endOperation(
                id: operation.id, problem: "The node service of \(driver) ended meanwhile. Order it again, with a new token.")
        }
        return nil
    }

    /// The epoch is over, or another node leads: it begins to count anew.
    public mutating func pause() { abandonedSince = [:] }
}
