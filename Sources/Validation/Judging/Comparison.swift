import ClusterModel

/// The words and shapes that judges share.
extension CollectedFacts {
    /// One finding per node that answered: it passes when the value is the one that most nodes have.
    ///
    /// - Parameters:
    ///   - what: The fact as a noun within a sentence: "kernel", "QEMU".
    ///   - fact: Its name among unreadable facts; nil takes `what`.
    ///   - verdict: Of a node that differs.
    ///   - value: nil when the node does not know.
    func compare(
        _ what: String, fact: String? = nil, differs verdict: Verdict = .warning, item: String? = nil, cure: String? = nil,
        _ value: (NodeInventory) -> String?
    ) -> [ValidationFinding] {
        let values = answers.map { (inventory: $0, value: value($0)) }
        let common = Self.mostFrequent(values.compactMap(\.value))
        let holders = values.filter { $0.value == common }.map(\.inventory.node)
        return values.map { inventory, value in
            let subject = FindingSubject.node(inventory.node, item: item)
            guard let value else { return inventory.unknown(what, fact: fact ?? what, subject: subject) }
            guard let common, value != common else {
                return ValidationFinding(.pass, subject, reason: "\(what.capitalizedFirst) \(value).")
            }
            return ValidationFinding(
                verdict, subject,
                reason:
                    "\(inventory.node) has \(what) \(value), \(NodeList.text(holders)) \(holders.count == 1 ? "has" : "have") \(common).",
                cure: cure)
        }
    }

    /// The value that occurs most often; of several the one that comes first.
    static func mostFrequent<Value: Hashable>(_ values: [Value]) -> Value? {
        let counts = Dictionary(values.map { ($0, 1) }, uniquingKeysWith: +)
        let most = counts.values.max()
        return values.first { counts[$0] == most }
    }

    /// One finding for each node.
    func eachNode(_ judge: (NodeInventory) -> ValidationFinding) -> [ValidationFinding] { answers.map(judge) }
}

extension NodeInventory {
    /// That something is not known is told, and why; it is no pass.
    func unknown(_ what: String, fact: String? = nil, subject: FindingSubject? = nil) -> ValidationFinding {
        let reasons = unreadable.filter { $0.what == fact ?? what }.map(\.reason)
        return ValidationFinding(
            .warning, subject ?? .node(node),
            reason: reasons.isEmpty
                ? "\(node) does not tell its \(what)." : "\(node) could not find out its \(what). \(reasons.joined(separator: " "))",
            // The same for all nodes, so that a report says it once.
            cure: "Look at what the reason names on the node, then run this test again.")
    }
}

/// Names in a sentence.
enum NodeList {
    /// `n1`, `n1 and n2`, `n1, n2 and n3`.
    static func text(_ names: [NodeName]) -> String { text(names.map(\.rawValue)) }
    static func text(_ names: [String]) -> String {
        guard let last = names.last else { return "no node" }
        return names.count == 1 ? last : "\(names.dropLast().joined(separator: ", ")) and \(last)"
    }
}

extension String {
    var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

extension TestOutcome {
    /// The headline is made of the nodes that fail.
    ///
    /// - Parameter clause: What is wrong with them: "differ in architecture".
    static func judged(_ findings: [ValidationFinding], tables: [FactTable] = [], failing clause: (String) -> String) -> Self {
        let nodes = findings.filter { $0.verdict == .failure }.compactMap { $0.subject.node?.rawValue }
        let names = nodes.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return Self(findings, tables: tables, headline: names.isEmpty ? nil : clause(NodeList.text(names)))
    }
}
