import ClusterModel

/// `network/names`.
public enum NameJudge {
    /// - Parameters:
    ///   - answers: What the resolver of `node` says.
    ///   - known: The addresses that each node really has, on any adapter.
    public static func judge(_ node: NodeName, _ answers: [NameQuestion.Answer], known: [NodeName: [String]]) -> TestOutcome {
        TestOutcome(answers.map { finding(node, $0, known[$0.host.name] ?? []) })
    }

    private static func finding(_ node: NodeName, _ answer: NameQuestion.Answer, _ known: [String]) -> ValidationFinding {
        let (name, address) = (answer.host.name, answer.host.address)
        let subject = FindingSubject.pair(node, name)
        func warning(_ reason: String, _ cure: String) -> ValidationFinding {
            ValidationFinding(.warning, subject, reason: reason, cure: cure)
        }
        let line = "\"\(address) \(name)\" into /etc/hosts on \(node), or into the name server"
        if let problem = answer.problem {
            return warning(
                "\(node) could not look up \(name). \(problem)",
                "Check the name servers in /etc/resolv.conf on \(node), or write \(line).")
        }
        guard !answer.addresses.isEmpty else { return warning("\(node) does not know the name \(name).", "Write \(line).") }
        let right = Set(([address] + known).compactMap { IPNetwork($0)?.bytes })
        let wrong = answer.addresses.filter { text in IPNetwork(text).map { !right.contains($0.bytes) } ?? true }
        if !wrong.isEmpty {
            return warning(
                "\(node) finds \(name) at \(NodeList.text(wrong)), which \(wrong.count == 1 ? "is no address" : "are no addresses") of \(name).",
                "Correct the entry of \(name) in /etc/hosts on \(node) or in the name server; its address is \(address).")
        }
        let short = answer.names.map { $0.split(separator: ".").first.map(String.init) ?? $0 }
        guard !short.isEmpty else {
            return warning("\(node) finds no name for \(address), the address of \(name).", "Write \(line), for the reverse zone too.")
        }
        guard short.contains(where: { $0.lowercased() == name.rawValue.lowercased() }) else {
            return warning(
                "For \(address), the address of \(name), \(node) finds the name \(NodeList.text(answer.names)).",
                "Correct the entry of \(address) in /etc/hosts on \(node) or in the reverse zone of the name server.")
        }
        return ValidationFinding(.pass, subject, reason: "\(name) is \(NodeList.text(answer.addresses)), and \(address) is \(name).")
    }
}
