import CCorosync

/// How votequorum counts, seen by one node (`votequorum_getinfo`).
public struct VotequorumInfo: Hashable, Sendable, Codable {
    public struct Flags: OptionSet, Hashable, Sendable, Codable {
        public var rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        private init(_ flag: Int32) { rawValue = UInt32(bitPattern: flag) }

        public static let twoNode = Flags(VOTEQUORUM_INFO_TWONODE)
        public static let quorate = Flags(VOTEQUORUM_INFO_QUORATE)
        public static let waitForAll = Flags(VOTEQUORUM_INFO_WAIT_FOR_ALL)
        public static let lastManStanding = Flags(VOTEQUORUM_INFO_LAST_MAN_STANDING)
        public static let autoTieBreaker = Flags(VOTEQUORUM_INFO_AUTO_TIE_BREAKER)
        public static let allowDownscale = Flags(VOTEQUORUM_INFO_ALLOW_DOWNSCALE)
        public static let deviceRegistered = Flags(VOTEQUORUM_INFO_QDEVICE_REGISTERED)
        /// It voted within the device's `timeout`.
        public static let deviceAlive = Flags(VOTEQUORUM_INFO_QDEVICE_ALIVE)
        public static let deviceVotes = Flags(VOTEQUORUM_INFO_QDEVICE_CAST_VOTE)
        public static let deviceMasterWins = Flags(VOTEQUORUM_INFO_QDEVICE_MASTER_WINS)
    }

    public var node: CorosyncNodeID
    public var state: VotequorumNode.State
    public var votes: UInt32
    /// What this node expects; the largest of all members counts.
    public var expectedVotes: UInt32
    public var highestExpectedVotes: UInt32
    /// Of the members present, the quorum device included if it votes here.
    public var totalVotes: UInt32
    /// How many votes are a majority.
    public var quorum: UInt32
    public var flags: Flags
    /// What the quorum device would add.
    public var deviceVotes: UInt32
    public var deviceName: String

    public var isQuorate: Bool { flags.contains(.quorate) }

    init(_ info: votequorum_info) {
        node = CorosyncNodeID(rawValue: info.node_id)
        state = VotequorumNode.State(info.node_state)
        votes = info.node_votes
        expectedVotes = info.node_expected_votes
        highestExpectedVotes = info.highest_expected
        totalVotes = info.total_votes
        quorum = info.quorum
        flags = Flags(rawValue: info.flags)
        deviceVotes = info.qdevice_votes
        deviceName = withUnsafeBytes(of: info.qdevice_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
