import ClusterAPI
import ClusterModel
import Testing

/// Samples both nodes while a story runs: never may two of them be open without seeing each other.
///
/// The nodes are asked one after the other, so a sample counts only if the first node says the same before and after the second was asked:
/// else a partition that closed in between would look like a second one.
struct PartitionWatch {
    struct Findings {
        var samples = 0
        var violations: [String] = []
    }

    static func during(_ stage: ClusterStage, _ story: () async throws -> Void) async throws {
        let watch = Task {
            var findings = Findings()
            while !Task.isCancelled {
                await sample(stage, &findings)
                // Ends early when cancelled, which the loop's condition sees.
                try? await Task.sleep(for: .milliseconds(50))
            }
            return findings
        }
        defer { watch.cancel() }
        try await story()
        watch.cancel()
        let findings = await watch.value
        #expect(findings.samples > 0, "nothing was sampled")
        #expect(findings.violations.isEmpty, "two partitions were open at a time")
    }

    private static func sample(_ stage: ClusterStage, _ findings: inout Findings) async {
        let before = await stage.status(ClusterStage.n1)
        let second = await stage.status(ClusterStage.n2)
        let after = await stage.status(ClusterStage.n1)
        guard before != nil || second != nil else { return }
        findings.samples += 1
        guard let before, let second, let after, before.isOpen, second.isOpen, after.isOpen else { return }
        guard isAlone(before), isAlone(second), isAlone(after) else { return }
        findings.violations.append("\(before)\n\(second)")
    }

    private static func isAlone(_ report: ClusterStatusReport) -> Bool { report.nodes.filter(\.isPresent).map(\.name) == [report.node] }
}
