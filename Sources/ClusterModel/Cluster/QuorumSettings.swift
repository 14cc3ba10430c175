/// Who has votes.
public enum QuorumModel: String, Hashable, Sendable, Codable, CaseIterable, CustomStringConvertible {
    case nodeMajority = "node-majority"
    case nodeAndDiskMajority = "node-and-disk-majority"
    case nodeAndFileShareMajority = "node-and-file-share-majority"
    /// The witness disk alone decides.
    case diskOnly = "disk-only"

    public var description: String {
        switch self {
        case .nodeMajority: "Node Majority"
        case .nodeAndDiskMajority: "Node and Disk Majority"
        case .nodeAndFileShareMajority: "Node and File Share Majority"
        case .diskOnly: "Disk Only"
        }
    }
}

/// How the cluster decides whether it may run.
public struct QuorumSettings: Hashable, Sendable, Codable {
    public var model: QuorumModel
    /// Whether the model follows the number of nodes by itself; false once an operator has chosen one.
    public var isModelAutomatic: Bool
    /// Whether votes follow the nodes that are there: the cluster may lose one after another down to the last.
    public var isDynamic: Bool
    /// How long machines of a partition without quorum stay paused before they are stopped. Seconds.
    public var secondsUntilStop: Int

    public static let defaultSecondsUntilStop = 60
    /// What ``secondsUntilStop`` may be. At most a day: a guest paused for longer has lost every connection anyway.
    public static let allowedSecondsUntilStop = 0...86_400

    public init(
        model: QuorumModel, isModelAutomatic: Bool = true, isDynamic: Bool = true, secondsUntilStop: Int = defaultSecondsUntilStop
    ) {
        self.model = model
        self.isModelAutomatic = isModelAutomatic
        self.isDynamic = isDynamic
        self.secondsUntilStop = secondsUntilStop
    }
}

/// The one voter that is not a node.
public enum Witness: Hashable, Sendable, Codable, CustomStringConvertible {
    case none
    case disk(id: DiskID)
    case fileShare(path: String)

    public var description: String {
        switch self {
        case .none: "no witness"
        case .disk(let id): "witness disk \(id)"
        case .fileShare(let path): "witness file share \(path)"
        }
    }
}

/// The witness, and how it is.
public struct WitnessStatus: Hashable, Sendable, Codable {
    public enum Condition: String, Hashable, Sendable, Codable, CaseIterable {
        case present
        /// Taken out of the count by the operator, for work on the array.
        case maintenance
        /// No node reaches it.
        case lost
    }
    public var witness: Witness
    /// ``VoteTable/witnessID`` of this witness: drawn when it was initialised; zero when there is none.
    public var number: UInt64
    public var condition: Condition
    /// Since when it is in that condition.
    public var since: WallTime

    public init(witness: Witness, number: UInt64 = 0, condition: Condition, since: WallTime) {
        self.witness = witness
        self.number = number
        self.condition = condition
        self.since = since
    }
    /// Whether it may have a vote.
    public var isUsable: Bool { witness != .none && condition == .present }
}
