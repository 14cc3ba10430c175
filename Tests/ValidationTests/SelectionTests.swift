import Testing

@testable import Validation

@Suite("Selection")
struct SelectionTests {
    @Test("Nothing chosen is everything chosen")
    func all() throws {
        #expect(try TestSelection([]).tests.count == ValidationCatalogue.tests.count)
        #expect(try TestSelection(["all"]).skipped.isEmpty)
    }

    @Test("Categories, tests and names that only one category has; in the order of the catalogue, each once")
    func terms() throws {
        let selection = try TestSelection(["storage/arbitration", "Network/MTU", "contest", "arbitration"])
        #expect(selection.tests.map(\.id.description) == ["network/mtu", "storage/arbitration", "storage/contest"])
        #expect(try TestSelection(["storage"]).tests.allSatisfy { $0.category == .storage })
        #expect(try Set(TestSelection(["storage"]).skipped).isDisjoint(with: StorageCatalogue.tests.map(\.id)))
    }

    @Test("What is left out is left out, whatever chose it")
    func excluding() throws {
        let selection = try TestSelection(["network"], excluding: ["network/throughput"])
        #expect(selection.tests.count == NetworkCatalogue.tests.count - 1)
        #expect(selection.terms == ["network", "-network/throughput"])
        #expect(throws: SelectionError.nothingLeft) { try TestSelection(["network/mtu"], excluding: ["network"]) }
    }

    @Test(
        "A slip is answered with what was meant",
        arguments: [
            ("storage/arbitraton", "storage/arbitration"), ("netwrok", "network"), ("jiter", "network/jitter"),
            ("storage/jitter", "network/jitter"), ("preempt-and-abrt", "storage/preempt-and-abort"),
        ])
    func suggestions(term: String, meant: String) {
        let error = #expect(throws: SelectionError.self) { try TestSelection([term]) }
        guard case .unknown(term, let similar) = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(similar.contains(meant))
        #expect(similar.count <= 3)
    }

    @Test("A name of several categories asks which", arguments: ["latency", "certificates", "memory-x", "throughput"])
    func ambiguous(term: String) {
        let error = #expect(throws: SelectionError.self) { try TestSelection([term]) }
        let count = ValidationCatalogue.tests.count { $0.id.name == term }
        if count > 1 {
            #expect(error == .ambiguous(term, ValidationCatalogue.tests.filter { $0.id.name == term }.map(\.id)))
        } else {
            #expect(error?.description.contains(term) == true)
        }
    }

    @Test("What is nothing like any test gets no suggestion", arguments: ["", "qqqqqqqqqqqqqq", String(repeating: "a", count: 100_000)])
    func noSuggestion(term: String) {
        #expect(throws: SelectionError.unknown(term, similar: [])) { try TestSelection([term]) }
    }

    @Test(
        "Edit distance",
        arguments: [("", "", 0), ("", "ab", 2), ("mtu", "mtu", 0), ("mtu", "mut", 1), ("jiter", "jitter", 1), ("kitten", "sitting", 3)])
    func distance(left: String, right: String, expected: Int) {
        #expect(editDistance(left, right) == expected)
        #expect(editDistance(right, left) == expected)
    }
}
