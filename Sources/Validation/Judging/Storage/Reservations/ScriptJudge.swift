import ClusterModel

/// Judges what came of a script: every answer that is not as it had to be is a failure of the node that got it, on that disk.
public enum ScriptJudge {
    /// What the tests have in common, told of one disk.
    public struct Wording: Sendable {
        /// For a node that did its part; a sentence.
        var passes: @Sendable (NodeName) -> String
        /// For the verdict's line: "does not let each node register".
        var clause: String
        /// What to do about a failure; nil: the test's own.
        var cure: String?
        /// What takes longer is a warning. It is a failure when it takes still longer, and the other commands are quick or as slow as that: where
        /// one of many is late, the nodes are busy or the array is for the moment.
        var slow = 1_000.0
        var tooSlow = 10_000.0
    }

    public static func judge(_ entries: [ReservationEntry], on disks: [DiskID], _ wording: Wording) -> TestOutcome {
        var findings: [ValidationFinding] = []
        var failing: [DiskID] = []
        let nodes = entries.map(\.line.party.node).reduce(into: [NodeName]()) { if !$0.contains($1) { $0.append($1) } }
        for (index, disk) in disks.enumerated() {
            for node in nodes {
                let own = entries.filter { $0.line.party.node == node }
                let finding = finding(own, index, .disk(disk, node: node), wording)
                if finding.verdict == .failure, !failing.contains(disk) { failing.append(disk) }
                findings.append(finding)
            }
        }
        let names = failing.map { "disk \($0)" }
        return TestOutcome(findings, headline: names.isEmpty ? nil : "\(NodeList.text(names)) \(wording.clause)")
    }

    private static func finding(
        _ entries: [ReservationEntry], _ index: Int, _ subject: FindingSubject, _ wording: Wording
    ) -> ValidationFinding {
        let deviations = entries.compactMap { entry -> String? in
            guard entry.answers.indices.contains(index) else { return "\(entry.line.party.name) told nothing of this disk." }
            return entry.line.deviation(of: entry.answers[index])
        }
        var figures: [Figure] = []
        var slowest = (name: "", milliseconds: 0.0)
        var times: [String: [Double]] = [:]
        for entry in entries where entry.answers.indices.contains(index) {
            guard let figure = entry.line.figure, entry.answers[index].result == .done else { continue }
            let milliseconds = entry.answers[index].milliseconds
            times[figure, default: []].append(milliseconds)
            if milliseconds > slowest.milliseconds { slowest = (figure, milliseconds) }
        }
        for (name, values) in times.sorted(by: { $0.key < $1.key }) {
            figures.append(Figure(name, values.max() ?? 0, .milliseconds))
        }
        let barriers = entries.compactMap { $0.answers.indices.contains(index) ? $0.answers[index].barrier : nil }
        if let barrier = barriers.first { figures.append(Figure("Fenced by", barrier.rawValue)) }
        guard deviations.isEmpty else {
            return ValidationFinding(.failure, subject, reason: deviations.joined(separator: " "), cure: wording.cure, figures: figures)
        }
        guard let node = subject.node else { return ValidationFinding(.pass, subject, reason: "", figures: figures) }
        guard slowest.milliseconds > wording.slow else {
            return ValidationFinding(.pass, subject, reason: wording.passes(node), figures: figures)
        }
        let others = entries.compactMap { entry in
            entry.line.figure == slowest.name || !entry.answers.indices.contains(index) ? nil : entry.answers[index].milliseconds
        }
        let isTheDisk = Distribution(others).map { $0.median * 10 < slowest.milliseconds || $0.median > wording.tooSlow } ?? true
        return ValidationFinding(
            slowest.milliseconds > wording.tooSlow && isTheDisk ? .failure : .warning, subject,
            reason: "It worked, but \(slowest.name.lowercased()) took \(node) \(Int(slowest.milliseconds)) ms. "
                + "The cluster gives a command on the witness a second.",
            cure: "Look at the load of the array and of the storage network, and at the array's log for that time.", figures: figures)
    }
}

extension ScriptJudge.Wording {
    public static let register = Self(
        passes: { "\($0) registered its key, and reads the keys of all nodes." }, clause: "does not take registrations")
    public static let reserve = Self(
        passes: { "\($0) reserved the disk, kept the others from it, and released it; every node read who held it." },
        clause: "cannot be reserved as it must")
    public static let conflict = Self(
        passes: { "Writes of \($0) were refused while it was not registered and others held the disk; registered it could write." },
        clause: "lets nodes write that are not registered",
        cure: "The array does not enforce reservations on this LUN: look for an option of the LUN or the host group that ignores them. "
            + "Do not use the disk for a cluster before this test passes.")
    public static let preempt = Self(
        passes: { "\($0) took the disk from another node, which could not write any more." }, clause: "cannot be taken from a node")
    public static let preemptAndAbort = Self(
        passes: { "\($0) ended what another node had under way on the disk, and took it over." },
        clause: "does not end what a fenced node has under way",
        cure: "Update the array's firmware. A disk on which a node cannot be fenced is no cluster disk.")
    public static let clear = Self(
        passes: { "After all keys had been cleared \($0) read none, and could write." }, clause: "keeps keys that were cleared")
    public static let arbitration = Self(
        passes: { "\($0) won the disk while nobody held it, and took it from another node." }, clause: "cannot be won by each node")
    public static let failover = Self(
        passes: { "\($0) took the disk over from a node whose session was gone, which could not write when it came back." },
        clause: "does not fail over")
}
