/// A probe with a quorum device.
struct QuorumNode {
    let number: Int
    let probe: Probe

    init(_ number: Int, in cluster: TestCluster, vote: Bool? = nil) async throws {
        self.number = number
        probe = try cluster.probe(number)
        try await probe.ask("quorum")
        if let vote {
            try await probe.line("the first ring") { $0.event == "quorum-ring" }
            try await probe.ask("device apus-disk \(vote ? 1 : 0)")
        }
    }

    /// Waits until this node counts so.
    func expect(quorate: Bool, total: Int? = nil, _ why: String, within limit: Duration = .seconds(6)) async throws {
        let deadline = ContinuousClock.now + limit
        var last: ProbeLine?
        while ContinuousClock.now < deadline {
            let info = try await probe.ask("info \(number)")
            if info.quorate == quorate, total == nil || info.total == total { return }
            last = info
            try await Task.sleep(for: .milliseconds(20))
        }
        throw TestFailure(
            "\(why): node \(number) should be quorate=\(quorate) total=\(total.map(String.init) ?? "any"), but is \(String(describing: last))"
        )
    }

    /// Insists that the node stays as it is for some time.
    func stays(quorate: Bool, for time: Duration, _ why: String) async throws {
        let deadline = ContinuousClock.now + time
        while ContinuousClock.now < deadline {
            let info = try await probe.ask("info \(number)")
            guard info.quorate == quorate else { throw TestFailure("\(why): node \(number) changed: \(info)") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Waits for a ring of exactly these nodes, told after the mark.
    func ring(_ nodes: [Int], after mark: Int) async throws {
        try await probe.line("ring of \(nodes) at \(number)", after: mark) { $0.event == "quorum-ring" && $0.nodes?.sorted() == nodes }
    }
    func vote(_ text: String) async throws { try await probe.ask("vote \(text)") }
}
