import CCorosync

/// A node in votequorum's list.
public struct VotequorumNode: Hashable, Sendable, Codable {
    public enum State: String, Hashable, Sendable, Codable {
        case member, dead, leaving, unknown

        init(_ state: UInt32) {
            self =
                switch Int32(bitPattern: state) {
                case VOTEQUORUM_NODESTATE_MEMBER: .member
                case VOTEQUORUM_NODESTATE_DEAD: .dead
                case VOTEQUORUM_NODESTATE_LEAVING: .leaving
                default: .unknown
                }
        }
    }
    /// 0 is the quorum device.
    public var node: CorosyncNodeID
    public var state: State

    public init(node: CorosyncNodeID, state: State) {
        self.node = node
        self.state = state
    }
}

/// What votequorum tells.
///
/// After a change of membership `ring` comes at once and `quorum` only when the decision is made: when every living quorum device has
/// voted for the new ring, or after the device's `sync_timeout`. **Between the two this node has to count as not quorate.**
public enum VotequorumEvent: Hashable, Sendable {
    case ring(RingID, nodes: [CorosyncNodeID])
    case quorum(isQuorate: Bool, nodes: [VotequorumNode])
    case expectedVotes(UInt32)
    /// The last event: Corosync is gone, or the reader was too slow.
    case lost(CorosyncError)
}
