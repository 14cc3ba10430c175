import CCorosync

/// A process in a group.
public struct GroupMember: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
    public var node: CorosyncNodeID
    public var processID: UInt32

    public init(node: CorosyncNodeID, processID: UInt32) {
        self.node = node
        self.processID = processID
    }
    public var description: String { "\(node):\(processID)" }
    public static func < (left: Self, right: Self) -> Bool { (left.node, left.processID) < (right.node, right.processID) }
}

/// Why a process came or went (`cpg_reason_t`).
///
/// A process that joined while its node was still alone in a ring forms a group of its own first, with its own order of messages; when
/// the rings merge, each side sees the other's members come with `nodeUp`. So a newcomer is told from `joined` **and** `nodeUp`.
public enum GroupChangeReason: String, Hashable, Sendable, Codable {
    case joined, left, nodeDown, nodeUp, processDown, unknown

    init(_ reason: UInt32) {
        self =
            switch cpg_reason_t(reason) {
            case CPG_REASON_JOIN: .joined
            case CPG_REASON_LEAVE: .left
            case CPG_REASON_NODEDOWN: .nodeDown
            case CPG_REASON_NODEUP: .nodeUp
            case CPG_REASON_PROCDOWN: .processDown
            default: .unknown
            }
    }
}

public struct GroupChange: Hashable, Sendable, Codable {
    public var member: GroupMember
    public var reason: GroupChangeReason
    public init(_ member: GroupMember, _ reason: GroupChangeReason) {
        self.member = member
        self.reason = reason
    }
}

/// What happens in a group, in the one order that all its members see.
///
/// Messages and changes of membership are ordered against each other: survivors see each change after exactly the same message.
public enum ProcessGroupEvent: Hashable, Sendable {
    case message(from: GroupMember, [UInt8])
    /// `members` is the group after the change.
    case membership(members: [GroupMember], left: [GroupChange], joined: [GroupChange])
    /// The nodes have formed a new ring. Comes after the change of membership that it caused, and once at the start.
    case ring(RingID, nodes: [CorosyncNodeID])
    /// The last event: Corosync is gone, or the reader was too slow. The process is no member any more.
    case lost(CorosyncError)
}
