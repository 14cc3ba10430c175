import ClusterModel
import Testing

@testable import ClusterRules

private let n1 = NodeID(rawValue: 1).unsafelyUnwrapped
private let n2 = NodeID(rawValue: 2).unsafelyUnwrapped

@Suite("Messages of the log as bytes")
struct LogMessageCodecTests {
    static let table = VoteTable(version: 3, nodes: [n1: 1, n2: 2], witness: 1, witnessID: 99)
    static let request = RequestID(node: n2, incarnation: 7, number: 8)
    static let position = ReplicaPosition(promised: 9, adopted: 8, lastIndex: 7, chain: 6)
    static let report = ReplicaReport(position: position, counts: true, tables: [table, table])
    static let witness = WitnessReport(witnessID: 99, replica: report, requests: [request])
    static let proposal = Proposal(request: request, payload: [1, 2, 3], votes: table)
    static let bodies: [LogMessage.Body] = [
        .hello(
            Hello(
                members: [GroupMember(node: n1, process: 5), GroupMember(node: n2, process: 6)], leftOut: [n2], incarnation: 4,
                replica: report, witness: witness)),
        .begin(
            Begin(
                epoch: 10, leader: n1, base: position, baseIsWitness: true, tables: [table], witnessID: 99, witnessHolder: n1,
                forced: proposal)),
        .promised(epoch: 10, witness: true), .witness(witness), .witness(nil),
        .fetch(Fetch(transfer: 1, lastIndex: 2, chain: 3, committed: 4, committedChain: 5)),
        .chunk(Chunk(to: n2, transfer: 1, sequence: 0, count: 1, bytes: [9, 9])), .chunkReceived(transfer: 1, sequence: 0),
        .propose(proposal),
        .append(Append(epoch: 10, firstIndex: 8, previousChain: 6, items: [.proposal(proposal), .delivered(request)])),
        .acknowledged(epoch: 10, index: 8, witness: false), .refused(request, .tooLarge), .turnedAway(n2, tableVersion: 3),
        .force(proposal), .pulse,
    ]

    static func bytes(_ body: LogMessage.Body) -> [UInt8] {
        LogMessageCodec.encode(LogMessage(tag: tag, body: body))
    }
    static let tag = SessionTag(round: 3, membership: 4)

    @Test("Every message comes back as it was", arguments: bodies.indices)
    func roundTrip(index: Int) throws {
        let message = LogMessage(tag: Self.tag, body: Self.bodies[index])
        #expect(try LogMessageCodec.decode(LogMessageCodec.encode(message)) == message)
    }

    @Test("A message that ends early, or too late, is refused at every length", arguments: bodies.indices)
    func truncated(index: Int) {
        let whole = Self.bytes(Self.bodies[index])
        for length in whole.indices { #expect(throws: CodingError.self) { try LogMessageCodec.decode(Array(whole[..<length])) } }
        #expect(throws: CodingError.trailingBytes(1)) { try LogMessageCodec.decode(whole + [0]) }
    }

    @Test("Another version and an unknown kind are named")
    func version() {
        var bytes = Self.bytes(.pulse)
        bytes[0] = 2
        #expect(throws: CodingError.version(2)) { try LogMessageCodec.decode(bytes) }
        bytes[0] = 1
        bytes[1] = 200
        #expect(throws: CodingError.unknownKind(200)) { try LogMessageCodec.decode(bytes) }
    }

    @Test("Giant lengths and counts reserve nothing", arguments: bodies.indices)
    func giantLengths(index: Int) {
        let whole = Self.bytes(Self.bodies[index])
        guard whole.count > 22 else { return }
        for offset in 18..<whole.count - 3 {
            var bytes = whole
            for place in offset..<offset + 4 { bytes[place] = 0xFF }
            // It may still be a message; it must not trap, nor take memory for what is not there.
            if let message = try? LogMessageCodec.decode(bytes) { #expect(LogMessageCodec.encode(message).count == bytes.count) }
        }
    }

    /// Goal: no bytes trap. Method: random damage to real messages, so that every field is hit.
    @Test("Damaged messages never trap", arguments: UInt64(1)...20)
    func damaged(seed: UInt64) {
        var state = seed
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<500 {
            var bytes = Self.bytes(Self.bodies[random(Self.bodies.count)])
            for _ in 0...random(4) { bytes[random(bytes.count)] = UInt8(random(256)) }
            if let message = try? LogMessageCodec.decode(bytes) { #expect(LogMessageCodec.encode(message).count == bytes.count) }
        }
    }
}

@Suite("Images of a replica as bytes")
struct ReplicaImageCodecTests {
    static var image: ReplicaImage {
        var entries: [LogEntry] = []
        for index in 4...6 {
            entries.append(
                .chained(
                    after: entries.last?.chain ?? 33, index: UInt64(index), epoch: 2,
                    request: RequestID(node: n1, incarnation: 1, number: UInt64(index)), payload: Array(repeating: UInt8(index), count: 50),
                    votes: index == 5 ? LogMessageCodecTests.table : nil))
        }
        return ReplicaImage(
            position: ReplicaPosition(promised: 3, adopted: 2, lastIndex: 6, chain: entries[2].chain), committed: 5, snapshot: [],
            snapshotIndex: 3, snapshotChain: 33, snapshotVotes: LogMessageCodecTests.table, entries: entries)
    }

    @Test("An image comes back as it was")
    func roundTrip() throws {
        #expect(try ReplicaImageCodec.decode(ReplicaImageCodec.encode(Self.image)) == Self.image)
    }
    @Test("No part of an image is taken for the whole, and no changed entry for the right one")
    func damaged() {
        let whole = ReplicaImageCodec.encode(Self.image)
        for length in whole.indices { #expect(throws: CodingError.self) { try ReplicaImageCodec.decode(Array(whole[..<length])) } }
        // From the first entry on the chain covers every byte.
        for offset in whole.count - 120..<whole.count {
            var bytes = whole
            bytes[offset] ^= 0x40
            #expect(throws: CodingError.self) { try ReplicaImageCodec.decode(bytes) }
        }
    }
}
