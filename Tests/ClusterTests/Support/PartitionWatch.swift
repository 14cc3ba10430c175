import ClusterAPI
import ClusterModel
import Testing

/// Samples all nodes while a story runs: never may two of them be open without seeing each other.
///
/// The nodes are asked at slightly different times, so a node counts as open during a round of questions only if it said the same before
/// and after that round: else a partition that closed in between would look like a second one.
struct PartitionWatch {
    struct Findings {
        var samples = 0
        var violations: [String] = []
    }
    private typealias Round = [NodeName: ClusterStatusReport]
    private let task: Task<Findings, Never>

    init(_ stage: ClusterStage) {
        task = Task {
            var findings = Findings()
            var rounds: [Round] = []
            while !Task.isCancelled {
                let round = await stage.statuses(within: .milliseconds(800))
                if !round.isEmpty { findings.samples += 1 }
                rounds = rounds.suffix(2) + [round]
                if rounds.count == 3 { Self.compare(rounds[0], rounds[1], rounds[2], &findings) }
                // Ends early when cancelled, which the loop's condition sees.
                try? await Task.sleep(for: .milliseconds(50))
            }
            return findings
        }
    }

    func stop() async -> Findings {
        task.cancel()
        return await task.value
    }

    /// Ends it and says what it saw.
    func verify() async {
        let findings = await stop()
        #expect(findings.samples > 0, "nothing was sampled")
        #expect(findings.violations.isEmpty, "two partitions were open at a time")
    }

    private static func compare(_ before: Round, _ during: Round, _ after: Round, _ findings: inout Findings) {
        for (name, first) in before where first.isOpen {
            guard let last = after[name], last.isOpen, ClusterStage.sees(first) == ClusterStage.sees(last) else { continue }
            for (other, report) in during where other != name && report.isOpen {
                let isMutual = ClusterStage.sees(first).contains(other) && ClusterStage.sees(report).contains(name)
                if !isMutual { findings.violations.append("\(ClusterStage.line(first)) | \(ClusterStage.line(report))") }
            }
        }
    }
}
