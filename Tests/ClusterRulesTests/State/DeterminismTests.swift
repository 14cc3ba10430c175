import ClusterModel
import ClusterRules
import Foundation
import SeededRandom
import Testing

/// Goal: the same log gives the same bytes on every node, and a refused command leaves no trace.
/// Method: thousands of commands, sensible and not, drawn from a seed, over a small world so that they meet.
@Suite("The same log, the same bytes")
struct DeterminismTests {
    @Test("Replayed, and taken up again from encoded bytes half way, the state has the same bytes", arguments: UInt64(0)..<20)
    func sameBytes(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let commands = (0..<300).map { _ in Self.command(&generator) }
        var first = try StateFixture.cluster(nodes: 3)
        var second = try ClusterCoding.state(from: try ClusterCoding.bytes(of: first))
        var effects: (first: [EntryOutcome], second: [EntryOutcome]) = ([], [])
        for (offset, command) in commands.enumerated() {
            let entry = try StateFixture.entry(UInt64(offset) + 1, command)
            effects.first.append(try apply(entry, to: &first))
            effects.second.append(try apply(entry, to: &second))
            // Dictionaries are hashed anew when decoded: an order that leaks would show.
            if offset.isMultiple(of: 37) { second = try ClusterCoding.state(from: try ClusterCoding.bytes(of: second)) }
        }
        #expect(effects.first == effects.second)
        #expect(try ClusterCoding.bytes(of: first) == (try ClusterCoding.bytes(of: second)))
        let applied = effects.first.count { if case .applied = $0 { true } else { false } }
        #expect(applied > 30 && applied < 270, "\(applied) applied: the storm should meet both kinds")
    }

    @Test("A refused command changes nothing", arguments: UInt64(100)..<120)
    func rejectedChangesNothing(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var state = try StateFixture.cluster(nodes: 3)
        for index in 0..<400 {
            let before = state
            do { _ = try apply(Self.command(&generator), at: StateFixture.place(UInt64(index)), to: &state) } catch {
                #expect(state == before, "\(error)")
                #expect(error.description.hasSuffix("."), "\(error)")
            }
        }
    }

    @Test("A request that is in the log twice is applied once, also when it was refused")
    func onceOnly() throws {
        var state = try StateFixture.cluster(nodes: 2)
        let note = ClusterCommand.noteEvent(note: EventNote(node: nil, severity: .information, cause: nil, sentence: "Once."))
        #expect(try apply(StateFixture.entry(1, note, request: 10), to: &state) == .applied([]))
        #expect(try apply(StateFixture.entry(2, note, request: 10), to: &state) == .repeated)
        #expect(
            try apply(StateFixture.entry(3, .nodeUp(node: StateFixture.id(1)), request: 11), to: &state)
                == .rejected(.nodeIsUp(NodeName(unchecked: "node1"))))
        #expect(try apply(StateFixture.entry(4, .nodeUp(node: StateFixture.id(1)), request: 11), to: &state) == .repeated)
        // Another life of the service counts from the beginning, and so does another node.
        #expect(try apply(StateFixture.entry(5, note, request: 1, incarnation: 6), to: &state) == .applied([]))
        #expect(try apply(StateFixture.entry(6, note, request: 10, node: 2), to: &state) == .applied([]))
        #expect(state.appliedIndex == 6)
        #expect(state.history.count == 4)
    }

    @Test("A gap, an unreadable entry and votes that are not the command's stop the node and change nothing")
    func unusable() throws {
        var state = try StateFixture.cluster(nodes: 2)
        let before = state
        let note = ClusterCommand.noteEvent(note: EventNote(node: nil, severity: .information, cause: nil, sentence: "x"))
        #expect(throws: UnusableEntry.gap(expected: 1, found: 2)) { try apply(StateFixture.entry(2, note), to: &state) }
        var broken = try StateFixture.entry(1, note)
        broken.payload = [1, 2, 3]
        #expect(throws: UnusableEntry.self) { try apply(broken, to: &state) }
        var smuggled = try StateFixture.entry(1, note)
        smuggled.votes = VoteTable(version: 2, nodes: [StateFixture.id(1): 9], witness: 0)
        #expect(throws: UnusableEntry.votesDiffer(index: 1)) { try apply(smuggled, to: &state) }
        #expect(state == before)
    }

    static func command(_ generator: inout SeededGenerator) -> ClusterCommand {
        let node = StateFixture.id(UInt16.random(in: 1...6, using: &generator))
        let other = StateFixture.id(UInt16.random(in: 1...5, using: &generator))
        let number = Int.random(in: 1...4, using: &generator)
        let name = VMName(unchecked: "vm\(number)")
        switch Int.random(in: 0..<25, using: &generator) {
        case 0: return .addNode(node: StateFixture.newNode(node.rawValue))
        case 1: return .evictNode(node: node, reason: "r")
        case 2, 3: return .nodeUp(node: node)
        case 4, 5: return .nodeDown(node: node, presence: NodePresence.allCases.randomElement(using: &generator) ?? .lost, reason: "r")
        case 6: return .pauseNode(node: node, drain: Bool.random(using: &generator), reason: "r")
        case 7: return .resumeNode(node: node)
        case 8: return .nodeDrained(node: node)
        case 9: return .setQuorumModel(model: QuorumModel.allCases.randomElement(using: &generator) ?? .diskOnly, isAutomatic: number == 1)
        case 10: return .setQuorumOptions(isDynamic: number == 1, secondsUntilStop: number == 2 ? -1 : 30)
        case 11, 12:
            let table = VoteTable(
                version: UInt64.random(in: 1...8, using: &generator),
                nodes: Dictionary([(node, 1), (other, number == 3 ? 0 : 1)], uniquingKeysWith: max),
                witness: number == 4 ? 1 : 0)
            return number == 1
                ? .recordForcedQuorum(table: table, nodes: [node, other], reason: "r") : .changeVotes(table: table, reason: "r")
        case 13:
            let witness: Witness = number == 1 ? .none : number == 2 ? .fileShare(path: "/w") : .disk(id: StateFixture.witnessDisk)
            return .setWitness(witness: witness, number: number == 1 ? 0 : UInt64(number))
        case 14: return .setWitnessMaintenance(isOn: number > 2, reason: "r")
        case 15: return number > 2 ? .witnessLost(reason: "r") : .witnessReturned
        case 16: return .addDisk(disk: ClusterDisk(id: DiskID("d\(number)"), use: .witness, addedAt: WallTime(milliseconds: 1)))
        case 17: return .removeDisk(disk: number == 1 ? StateFixture.dataDisk : DiskID("d\(number)"))
        case 18: return .addMachine(machine: StateFixture.machine(name.rawValue, number: number), owner: node, epoch: UInt64(number))
        case 19: return number > 2 ? .startMachine(machine: name) : .stopMachine(machine: name)
        case 20: return .removeMachine(machine: name, epoch: UInt64(number))
        case 21, 22:
            return .changeOwner(
                change: OwnerChange(
                    machine: name, from: node, to: other, epoch: UInt64.random(in: 1...4, using: &generator),
                    cause: OwnerChangeCause.allCases.randomElement(using: &generator) ?? .migration))
        case 23:
            let serial = "s\(number)"
            return .recordCertificate(
                certificate: IssuedCertificate(
                    facts: StateFixture.certificate(serial), subject: "x", node: node, issuedAt: WallTime(milliseconds: 1)))
        default:
            return .recordReconciliation(
                node: node, findings: [ReconciliationFinding(machine: name, problem: number == 1 ? "p" : nil, sentence: "It is so.")])
        }
    }
}
