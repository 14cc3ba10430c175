import ClusterModel
import Testing

@Suite("The chain of the log tells logs apart")
struct ChainTests {
    static let node = NodeID(rawValue: 3)!
    static let votes = VoteTable(version: 2, nodes: [node: 1, NodeID(rawValue: 1)!: 1, NodeID(rawValue: 2)!: 0], witness: 1)
    static let entry = LogEntry.chained(
        after: 7, index: 5, epoch: 2, request: RequestID(node: node, incarnation: 11, number: 4), payload: [1, 2, 3, 4, 5, 6, 7, 8, 9],
        votes: votes)

    @Test("It is the same for ever: these values were worked out by another program")
    func fixedValues() {
        #expect(DifferenceHash().value == 0)
        var one = DifferenceHash()
        one.combine(0)
        // The first number of the reference SplitMix64 seeded with zero.
        #expect(one.value == 0xE220_A839_7B1D_CDAF)
        var bytes = DifferenceHash(from: 42)
        bytes.combine([1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(bytes.value == 0x0876_204E_AEC8_1CA0)
        #expect(Self.entry.chain == 0x9510_F7F0_8CF1_400E)
    }

    @Test("Every field counts", arguments: 0..<11)
    func everyField(field: Int) throws {
        var other = Self.entry
        var previous: UInt64 = 7
        switch field {
        case 0: other.index += 1
        case 1: other.epoch += 1
        case 2: other.request.node = try #require(NodeID(rawValue: 4))
        case 3: other.request.incarnation += 1
        case 4: other.request.number += 1
        case 5: other.payload.append(0)
        case 6: other.payload[8] ^= 1
        case 7: other.votes = nil
        case 8: other.votes?.witness = 0
        case 9: other.votes?.nodes[Self.node] = 2
        default: previous = 8
        }
        #expect(Self.entry.follows(chain: 7))
        #expect(!other.follows(chain: previous))
    }

    @Test("Each single flipped bit of a payload shows, wherever it is")
    func everyBit() {
        var seen: Set<UInt64> = [Self.entry.chain]
        for bit in 0..<(Self.entry.payload.count * 8) {
            var other = Self.entry
            other.payload[bit / 8] ^= 1 << UInt8(bit % 8)
            seen.insert(other.chain(after: 7))
        }
        #expect(seen.count == Self.entry.payload.count * 8 + 1)
    }

    @Test("Zeros at the end are not lost, and a slice hashes like an array")
    func lengths() {
        let hashes = (0..<40).map { count in
            var hash = DifferenceHash()
            hash.combine(Array(repeating: UInt8(0), count: count))
            return hash.value
        }
        #expect(Set(hashes).count == 40)
        var whole = DifferenceHash()
        var slice = DifferenceHash()
        var lazily = DifferenceHash()
        whole.combine([2, 3, 4])
        slice.combine([1, 2, 3, 4][1...])
        lazily.combine([1, 2, 3].lazy.map { $0 + 1 })
        #expect(whole == slice)
        #expect(whole == lazily)
    }
}
