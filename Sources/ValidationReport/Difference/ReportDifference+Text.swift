import ClusterModel
import Validation

extension ReportDifference {
    /// For people at a terminal: what got worse first.
    public var text: String {
        var lines = [oldVerdict == newVerdict ? "Verdict  \(newVerdict)" : "Was      \(oldVerdict)\nNow      \(newVerdict)"]
        func block(_ title: String, _ entries: [String]) {
            guard !entries.isEmpty else { return }
            lines.append("\n\(title)")
            lines += entries.map { "  " + $0.split(separator: "\n").joined(separator: " ") }
        }
        block("Worse", worse.map(Self.sentence))
        block("New complaints", appeared.flatMap(Self.sentences))
        block("Better", better.map(Self.sentence))
        block("Solved", solved.map { "\($0.title), \($0.finding.subject.title): \($0.finding.reason)" })
        block("Figures", movements.map(Self.sentence))
        block("Lists", rows.map(Self.sentence))
        block("Nodes", nodesAdded.map { "+ \($0)" } + nodesRemoved.map { "- \($0)" })
        block("Disks", disksAdded.map { "+ \($0)" } + disksRemoved.map { "- \($0)" })
        block("Tests", testsAdded.map { "+ \($0)" } + testsRemoved.map { "- \($0)" })
        if isEmpty { lines.append("\nNothing else has changed.") }
        return visibleText(lines.joined(separator: "\n"))
    }

    private static func sentence(_ change: Change) -> String {
        "\(change.title): \(change.old.title.lowercased()) -> \(change.new.title.lowercased())"
    }

    private static func sentences(_ complaint: Complaint) -> [String] {
        let finding = complaint.finding
        return ["\(complaint.title), \(finding.subject.title): \(finding.reason)"] + (finding.cure.map { ["  Cure: \($0)"] } ?? [])
    }

    private static func sentence(_ movement: Movement) -> String {
        "\(movement.test), \(movement.subject.title), \(movement.figure): "
            + "\(FigureText.text(movement.old, movement.unit)) -> \(FigureText.text(movement.new, movement.unit))"
    }

    private static func sentence(_ row: Row) -> String {
        let list = row.node.map { "\(row.caption), \($0)" } ?? row.caption
        return switch (row.old, row.new) {
        case (let old?, let new?): "\(list): \(old.joined(separator: " ")) -> \(new.joined(separator: " "))"
        case (let old?, nil): "\(list): - \(old.joined(separator: " "))"
        case (nil, let new?): "\(list): + \(new.joined(separator: " "))"
        case (nil, nil): list
        }
    }
}
