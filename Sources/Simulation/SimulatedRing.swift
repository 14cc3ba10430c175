import ClusterModel
import ClusterRules

/// One ring of Corosync: messages in one order, received at different times, and what becomes of them when the ring ends.
///
/// After Totem (Amir et al., 1995) and corosync's totemsrp: a message can be sent by a node that lacks an earlier one. Nodes that move to
/// the next ring together share what they have. They deliver everything up to the first message that none of them has, and after that
/// only messages of senders that move with them. Then comes the change of the membership.
struct SimulatedRing {
    enum Item {
        case message(GroupMember, LogMessage)
        case group([GroupMember])
    }
    var nodes: [NodeID]
    var items: [(sender: NodeID, item: Item)] = []
    var group: [GroupMember] = []
    /// For each node how many it has without a gap, and which after the first gap.
    var received: [NodeID: (prefix: Int, beyond: Set<Int>)] = [:]

    init(nodes: [NodeID]) {
        self.nodes = nodes
        for node in nodes { received[node] = (0, []) }
    }

    mutating func order(_ item: Item, from sender: NodeID) {
        items.append((sender, item))
        received[sender]?.beyond.insert(items.count - 1)
    }

    /// What a node can deliver now that it got one more message.
    mutating func receive(_ node: NodeID, offset: Int) -> Range<Int> {
        guard var state = received[node] else { return 0..<0 }
        let start = state.prefix
        if start + offset < items.count { state.beyond.insert(start + offset) }
        while !state.beyond.isEmpty, state.beyond.remove(state.prefix) != nil { state.prefix += 1 }
        received[node] = state
        return start..<state.prefix
    }
    func isBehind(_ node: NodeID) -> Bool { (received[node]?.prefix ?? 0) < items.count }

    /// What the nodes that go on together still deliver, each from where it is.
    func lastDeliveries(of together: [NodeID]) -> [NodeID: [Int]] {
        var union = Set<Int>()
        var prefix = 0
        for node in together {
            guard let state = received[node] else { continue }
            prefix = max(prefix, state.prefix)
            union.formUnion(state.beyond)
        }
        while union.contains(prefix) { prefix += 1 }
        let late = union.filter { $0 >= prefix && together.contains(items[$0].sender) }.sorted()
        var result: [NodeID: [Int]] = [:]
        for node in together {
            guard let state = received[node] else { continue }
            result[node] = Array(state.prefix..<max(state.prefix, prefix)) + late
        }
        return result
    }
}
