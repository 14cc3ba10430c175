import ClusterModel
import Validation

/// Asks the node's resolver, by getent(1), which can be ended when a name server does not answer.
enum NameProbe {
    private static let mostHosts = 64
    private static let atATime = 8

    static func look(_ question: NameQuestion) async throws -> NameQuestion.Evidence {
        guard question.hosts.count <= mostHosts else { throw ProbeProblem("\(question.hosts.count) names are too many to look up.") }
        return try await withThrowingTaskGroup(of: (Int, NameQuestion.Answer).self) { group in
            var answers: [Int: NameQuestion.Answer] = [:]
            for (index, host) in question.hosts.enumerated() {
                if index >= atATime, let (done, answer) = try await group.next() { answers[done] = answer }
                group.addTask { (index, await answer(host)) }
            }
            for try await (index, answer) in group { answers[index] = answer }
            return .init(answers: answers.sorted { $0.key < $1.key }.map(\.value))
        }
    }

    private static func answer(_ host: NameQuestion.Host) async -> NameQuestion.Answer {
        do {
            async let forward = entries(["ahosts", host.name.rawValue])
            async let backward = entries(["hosts", host.address])
            let (addresses, names) = try await (forward, backward)
            return .init(
                host: host, addresses: unique(addresses.compactMap(\.first)), names: unique(names.flatMap { $0.dropFirst() }))
        } catch { return .init(host: host, addresses: [], names: [], problem: "\(error)") }
    }

    private static func unique(_ texts: [String]) -> [String] {
        Array(texts.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }.prefix(16))
    }

    /// - Returns: Words of each line; none when there is no entry (exit code 2).
    private static func entries(_ words: [String]) async throws -> [[String]] {
        let output = try await ToolRun.run(["getent"] + words, seconds: 4)
        switch output.exitCode {
        case 0: return output.text.split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
        case 2: return []
        case 124, 137, nil: throw ProbeProblem("The resolver did not answer within 4 s.")
        case 127: throw ProbeProblem("getent is not installed.")
        case let code?: throw ProbeProblem("getent \(words.joined(separator: " ")) ended with code \(code).")
        }
    }
}
