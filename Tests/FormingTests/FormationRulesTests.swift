import ClusterAPI
import ClusterModel
import Foundation
import Testing

@testable import Forming

@Suite("Whether nodes fit together")
struct FormationRulesTests {
    static func answer(
        _ number: Int, _ change: (inout JoinOffer) -> Void = { _ in }, clockAhead: TimeInterval = 0
    ) -> FormationRules.Answer {
        let name = NodeName(unchecked: "n\(number)")
        var offer = JoinOffer(
            session: Data(), node: name, addresses: NodeAddresses(rings: ["10.71.0.\(number)"], migration: "10.73.0.\(number)"),
            apiPort: 7_060,
            corosyncVersion: "3.1.7", now: Date(), facts: TestNode.facts(name),
            disks: [TestNode.disk("b", lun: 2), TestNode.disk("a", lun: 1)], diskProblem: nil)
        change(&offer)
        return FormationRules.Answer(offer: offer, clockAhead: clockAhead)
    }

    @Test("An even number takes the lowest disk that all see, an odd one none")
    func automatic() throws {
        #expect(try FormationRules.witness(for: [Self.answer(1)], choice: .auto, force: false) == .none)
        #expect(try FormationRules.witness(for: [Self.answer(1), Self.answer(2)], choice: .auto, force: false) == .disk(id: DiskID("a")))
        #expect(try FormationRules.witness(for: (1...3).map { Self.answer($0) }, choice: .auto, force: false) == .none)
        let half = Self.answer(2) { $0.disks.removeAll { $0.id == DiskID("a") } }
        #expect(try FormationRules.witness(for: [Self.answer(1), half], choice: .auto, force: false) == .disk(id: DiskID("b")))
    }

    struct Case: Sendable {
        var name: String
        var second: FormationRules.Answer
        var choice = WitnessChoice.none
        var force = false
        var says: String
    }

    @Test(
        "Each reason against is a sentence with its cure",
        arguments: [
            Case(name: "name", second: answer(2) { $0.node = NodeName(unchecked: "n1") }, says: "Two nodes are called n1"),
            Case(name: "address", second: answer(2) { $0.addresses.rings = ["10.71.0.1"] }, says: "both have the address 10.71.0.1"),
            Case(name: "across networks", second: answer(2) { $0.addresses.migration = "10.71.0.1" }, says: "both have the address"),
            Case(name: "corosync", second: answer(2) { $0.corosyncVersion = nil }, says: "apt-get install corosync"),
            Case(name: "old corosync", second: answer(2) { $0.corosyncVersion = "3.0.4" }, says: "n1 has corosync 3.1.7, n2 has 3.0.4"),
            Case(name: "version", second: answer(2) { $0.facts.apusVersion = "0.2.0" }, says: "Apus 0.1.0, n2 runs Apus 0.2.0"),
            Case(name: "ahead", second: answer(2, clockAhead: 37), says: "n2 is 37 s ahead of that of n1"),
            Case(name: "behind", second: answer(2, clockAhead: -3_600), says: "3600 s behind"),
            Case(name: "absurd clock", second: answer(2, clockAhead: .infinity), says: "ahead of"),
            Case(name: "rings", second: answer(2) { $0.addresses.rings.append("10.74.0.2") }, says: "second cluster network"),
            Case(name: "port", second: answer(2) { $0.apiPort = 7_061 }, says: "port 7060, n2 on 7061"),
            Case(name: "no disk", second: answer(2) { $0.disks = [] }, choice: .auto, says: "no shared disk that all of them see"),
            Case(
                name: "no disk, why",
                second: answer(2) {
                    $0.disks = []
                    $0.diskProblem = "The SAN is silent."
                }, choice: .auto, says: "n2: The SAN is silent."),
            Case(name: "unseen", second: answer(2) { $0.disks = [] }, choice: .disk(DiskID("a")), says: "not seen by n2"),
            Case(name: "unknown", second: answer(2), choice: .disk(DiskID("zzz")), says: "not seen by n1, n2"),
        ])
    func refusals(of each: Case) throws {
        let error = #expect(throws: FormationRules.Refused.self) {
            try FormationRules.witness(for: [Self.answer(1), each.second], choice: each.choice, force: each.force)
        }
        let text = error?.description ?? ""
        #expect(text.contains(each.says) || text.contains(each.says.replacing("Apus 0.2.0", with: "0.2.0")), "\(text)")
    }

    @Test("What a witness disk carries is destroyed only when that was said, and a volume only when it was named too")
    func witnessContent() throws {
        func answers(_ content: DiskContent) -> [FormationRules.Answer] {
            (1...2).map { Self.answer($0) { $0.disks = [TestNode.disk("a", content)] } }
        }
        let named = WitnessChoice.disk(DiskID("a"))
        for content in [DiskContent.foreign("ext4 file system"), .damaged("no header")] {
            #expect(throws: FormationRules.Refused.self) { try FormationRules.witness(for: answers(content), choice: .auto, force: false) }
            #expect(try FormationRules.witness(for: answers(content), choice: .auto, force: true) == .disk(id: DiskID("a")))
        }
        let volume = DiskContent.clusterSharedVolume(id: UUID(), label: "csv1")
        #expect(throws: FormationRules.Refused.self) { try FormationRules.witness(for: answers(volume), choice: .auto, force: true) }
        #expect(throws: FormationRules.Refused.self) { try FormationRules.witness(for: answers(volume), choice: named, force: false) }
        #expect(try FormationRules.witness(for: answers(volume), choice: named, force: true) == .disk(id: DiskID("a")))
    }

    @Test("All reasons are told at once, each once")
    func together() {
        let second = Self.answer(
            2,
            {
                $0.corosyncVersion = nil
                $0.apiPort = 1
            }, clockAhead: 60)
        let error = #expect(throws: FormationRules.Refused.self) {
            try FormationRules.witness(for: [Self.answer(1), second], choice: .none, force: false)
        }
        #expect(error?.reasons.count == 3, "\(String(describing: error))")
    }

    @Test("A newcomer is compared with every member")
    func newcomer() {
        let members = (1...3).map { (name: NodeName(unchecked: "n\($0)"), addresses: Self.answer($0).offer.addresses) }
        #expect(FormationRules.refusals(of: Self.answer(4), joining: members, like: Self.answer(1)).isEmpty)
        #expect(!FormationRules.refusals(of: Self.answer(3), joining: members, like: Self.answer(1)).isEmpty)
        let taken = Self.answer(4) { $0.addresses.migration = "10.73.0.2" }
        #expect(FormationRules.refusals(of: taken, joining: members, like: Self.answer(1)).count == 1)
    }

    @Test("Witness choices are read and written", arguments: ["auto", "none", "disk:naa.6001", "share:/mnt/w"])
    func choices(text: String) throws {
        #expect(WitnessChoice(text)?.description == text)
        #expect(try JSONDecoder().decode(WitnessChoice.self, from: Data("\"\(text)\"".utf8)).description == text)
    }

    @Test("Other texts are no witness", arguments: ["", "disk", "disk:", "share:w", "share:", "AUTO", "lun:1"])
    func noChoices(text: String) { #expect(WitnessChoice(text) == nil) }
}
