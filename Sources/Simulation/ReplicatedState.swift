import ClusterModel

/// What a simulated node applies committed entries to.
public protocol ReplicatedState: Sendable {
    /// Before the first entry.
    init()
    /// From a snapshot.
    init?(snapshot: [UInt8])
    var snapshot: [UInt8] { get }
    /// The last entry applied.
    var index: UInt64 { get }
    mutating func apply(_ entry: LogEntry)
}

/// The smallest state that tells two histories apart.
public struct ChainState: ReplicatedState, Hashable {
    public private(set) var index: UInt64 = 0
    public private(set) var chain: UInt64 = 0

    public init() {}
    public init?(snapshot: [UInt8]) {
        guard snapshot.count == 16 else { return nil }
        for byte in snapshot[..<8] { index = index << 8 | UInt64(byte) }
        for byte in snapshot[8...] { chain = chain << 8 | UInt64(byte) }
    }
    public var snapshot: [UInt8] {
        [index, chain].flatMap { value in withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    }
    public mutating func apply(_ entry: LogEntry) {
        index = entry.index
        chain = entry.chain
    }
}
