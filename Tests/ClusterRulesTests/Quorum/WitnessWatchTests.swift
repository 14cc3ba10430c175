import ClusterModel
import ClusterRules
import Testing

@Suite("A witness that is lost and comes back")
struct WitnessWatchTests {
    private let one: NodeID
    private let two: NodeID
    init() throws {
        one = try #require(NodeID(rawValue: 1))
        two = try #require(NodeID(rawValue: 2))
    }

    private func state(_ condition: WitnessStatus.Condition, number: UInt64 = 7, named: UInt64 = 7) -> ClusterState {
        var state = ClusterState()
        state.witness = WitnessStatus(
            witness: .fileShare(path: "/srv"), number: number, condition: condition, since: WallTime(milliseconds: 0))
        state.votes = VoteTable(nodes: [one: 1, two: 1], witness: 1, witnessID: named)
        return state
    }

    @Test("It is lost after ten seconds in which nobody wrote it, and not a moment before")
    func lost() {
        var watch = WitnessWatch()
        #expect(watch.due(state(.present), isWritten: false, reason: "cut", now: .seconds(100)) == nil)
        #expect(watch.due(state(.present), isWritten: false, reason: "cut", now: .seconds(109.9)) == nil)
        #expect(watch.due(state(.present), isWritten: false, reason: "cut", now: .seconds(110)) == .witnessLost(reason: "cut"))
        // Said, and not said again.
        #expect(watch.due(state(.lost), isWritten: false, reason: "cut", now: .seconds(130)) == nil)
        #expect(watch.due(state(.lost), isWritten: true, reason: nil, now: .seconds(131)) == .witnessReturned)
        #expect(watch.due(state(.present), isWritten: true, reason: nil, now: .seconds(132)) == nil)
    }

    @Test("A moment in which it was written, or in which nobody could count, begins anew")
    func interrupted() {
        var watch = WitnessWatch()
        #expect(watch.due(state(.present), isWritten: false, reason: nil, now: .seconds(0)) == nil)
        #expect(watch.due(state(.present), isWritten: true, reason: nil, now: .seconds(9)) == nil)
        #expect(watch.due(state(.present), isWritten: false, reason: nil, now: .seconds(10)) == nil)
        watch.pause()
        #expect(watch.due(state(.present), isWritten: false, reason: nil, now: .seconds(19)) == nil)
        #expect(watch.due(state(.present), isWritten: false, reason: nil, now: .seconds(28)) == nil)
        #expect(watch.due(state(.present), isWritten: false, reason: nil, now: .seconds(29)) != nil)
    }

    @Test("In maintenance, without one, or while a new one has yet to be taken, nothing is missing")
    func quiet() {
        var none = ClusterState()
        none.votes = VoteTable(nodes: [one: 1], witness: 0)
        for quiet in [state(.maintenance), state(.present, number: 8), none] {
            var watch = WitnessWatch()
            for second in 0..<60 { #expect(watch.due(quiet, isWritten: false, reason: nil, now: .seconds(second)) == nil) }
        }
    }
}

@Suite("What votequorum counts under Disk Only")
struct DiskOnlyTargetTests {
    @Test("The nodes together are no quorum; any of them is one with the device", arguments: 1...8)
    func diskOnly(count: Int) {
        var state = ClusterState()
        let ids = (1...UInt16(count)).compactMap(NodeID.init(rawValue:))
        for id in ids {
            state.nodes[id] = ClusterNode(
                id: id, name: NodeName(unchecked: "n\(id)"), addresses: NodeAddresses(rings: ["10.0.0.\(id)"], migration: "10.1.0.\(id)"),
                presence: .up, joinedAt: WallTime(milliseconds: 0),
                certificate: CertificateFacts(serial: "\(id)", fingerprint: "", notAfter: WallTime(milliseconds: 0)))
        }
        state.witness = WitnessStatus(witness: .disk(id: DiskID("d")), number: 7, condition: .present, since: WallTime(milliseconds: 0))
        state.votes = VoteTable(nodes: Dictionary(uniqueKeysWithValues: ids.map { ($0, 0) }), witness: 1, witnessID: 7)
        let target = VotequorumTarget(of: state)
        let nodes = target.nodeVotes.values.reduce(0, +)
        #expect(target.expectedVotes == nodes + target.deviceVotes)
        #expect(target.isDeviceCounted)
        // As votequorum counts: more than half of what is expected; and it takes a device only beside two votes.
        let quorum = target.expectedVotes / 2 + 1
        #expect(nodes < quorum)
        #expect(target.nodeVotes.values.allSatisfy { $0 + target.deviceVotes >= quorum })
        #expect(target.expectedVotes - target.deviceVotes >= 2)
    }
}
