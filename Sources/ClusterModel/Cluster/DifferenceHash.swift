/// A 64-bit hash that tells contents apart: the same on every node, in every version, for as long as clusters live.
///
/// It detects difference, not attack: who can write a node's database or the witness needs no collision. Swift's `Hasher` will not do,
/// because it is seeded anew in every process.
///
/// Each word of eight bytes is mixed into the state with the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014). One step is a bijection of the state for a given word, and of the word for a given state.
/// So two contents that differ in a single word *never* have the same hash: no flipped bit, swapped byte or torn word goes unnoticed.
/// Of other differences one in 2^64 does.
public struct DifferenceHash: Hashable, Sendable {
    private var state: UInt64

    /// - Parameter start: Where to go on from: the hash of what comes before.
    public init(from start: UInt64 = 0) { state = start }

    /// The hash of everything combined so far.
    public var value: UInt64 { state }

    public mutating func combine(_ word: UInt64) {
        // The constant keeps a state of zero from staying zero under words of zero.
        var mixed = (state ^ word) &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        state = mixed ^ (mixed >> 31)
    }

    /// The length comes first, so bytes cannot wander from one field to the next. Words are little endian, the last one is filled with zeros.
    public mutating func combine(_ bytes: some Collection<UInt8>) {
        combine(UInt64(bytes.count))
        if bytes.withContiguousStorageIfAvailable({ combineWords(UnsafeRawBufferPointer($0)) }) == nil {
            Array(bytes).withUnsafeBytes { combineWords($0) }
        }
    }

    private mutating func combineWords(_ bytes: UnsafeRawBufferPointer) {
        let whole = bytes.count & ~7
        for offset in stride(from: 0, to: whole, by: 8) {
            combine(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
        }
        guard whole < bytes.count else { return }
        var last: UInt64 = 0
        for offset in whole..<bytes.count { last |= UInt64(bytes[offset]) << UInt64(8 * (offset - whole)) }
        combine(last)
    }
}

extension DifferenceHash {
    /// A vote table in one defined order: a dictionary has none.
    public mutating func combine(_ table: VoteTable) {
        combine(table.version)
        combine(UInt64(bitPattern: Int64(table.witness)))
        combine(UInt64(table.nodes.count))
        for (node, votes) in table.nodes.sorted(by: { $0.key < $1.key }) {
            combine(UInt64(node.rawValue))
            combine(UInt64(bitPattern: Int64(votes)))
        }
        if table.witnessID != 0 { combine(table.witnessID) }
    }
}
