import ClusterModel
import ClusterRules

/// What is wrong with a scenario's text, or with the world at that line.
public struct ScenarioError: Error, Hashable, CustomStringConvertible {
    /// From 1; zero when it is about no line.
    public var line: Int
    public var problem: String
    public init(line: Int, problem: String) {
        self.line = line
        self.problem = problem
    }
    public var description: String { line > 0 ? "line \(line): \(problem)" : problem }
}

/// A story that an administrator can read, and the world can be held to.
///
///     nodes 2
///     witness disk
///     machine web on n2
///     at 10s n2 power off
///     expect 14s n1 runs: votes 2 of 3
///     expect 14s web runs on n1
public struct Scenario: Sendable {
    public enum Expectation: Hashable, Sendable {
        case status(NodeID, String)
        case says(NodeID, String)
        case knows(NodeID, String, Bool)
        case machine(VMName, String)
    }
    enum Line: Sendable {
        case act(ScenarioAct)
        case expect(Expectation)
    }

    var nodeCount = 0
    var hasWitness = false
    var isDynamic = true
    var secondsUntilStop = QuorumSettings.defaultSecondsUntilStop
    var machines: [(name: String, owner: Int)] = []
    /// In the order of the text; times never go back.
    var lines: [(number: Int, time: Duration, line: Line)] = []

    /// - Throws: ``ScenarioError`` with the first line that is not understood.
    public init(_ text: String) throws(ScenarioError) {
        for (offset, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let code = raw.prefix { $0 != "#" }
            let words = code.split(whereSeparator: \.isWhitespace).map(String.init)
            if !words.isEmpty { try read(words, number: offset + 1) }
        }
        guard nodeCount > 0 else {
            throw ScenarioError(line: 0, problem: "no line says how many nodes there are, for instance \"nodes 2\"")
        }
        guard lines.contains(where: { if case .expect = $0.line { true } else { false } }) else {
            throw ScenarioError(line: 0, problem: "nothing is expected, so nothing can fail")
        }
    }

    private mutating func read(_ words: [String], number: Int) throws(ScenarioError) {
        let wrong = ScenarioError(line: number, problem: "not understood: \"\(words.joined(separator: " "))\"")
        switch (words[0], words.count) {
        case ("nodes", 2):
            guard let count = Int(words[1]), (1...16).contains(count) else { throw wrong }
            nodeCount = count
        case ("witness", 2) where ["disk", "none"].contains(words[1]): hasWitness = words[1] == "disk"
        case ("dynamic", 2) where ["on", "off"].contains(words[1]): isDynamic = words[1] == "on"
        case ("stop", 3):
            guard words[1] == "after", let time = Self.time(words[2]) else { throw wrong }
            secondsUntilStop = Int(time.components.seconds)
        case ("machine", 4):
            guard words[2] == "on", (try? VMName(words[1])) != nil, let owner = node(words[3]) else { throw wrong }
            machines.append((words[1], Int(owner.rawValue)))
        case ("at", 3...), ("expect", 3...):
            guard let time = Self.time(words[1]) else { throw wrong }
            if let last = lines.last, time < last.time { throw ScenarioError(line: number, problem: "time goes back") }
            let rest = Array(words.dropFirst(2))
            guard let line: Line = words[0] == "at" ? act(rest).map({ .act($0) }) : expectation(rest).map({ .expect($0) }) else {
                throw wrong
            }
            lines.append((number, time, line))
        default: throw wrong
        }
    }

    /// "10s" or "10.5s", up to a day.
    private static func time(_ word: String) -> Duration? {
        guard word.hasSuffix("s"), let seconds = Double(word.dropLast()), (0...86_400).contains(seconds) else { return nil }
        return .milliseconds(Int64(seconds * 1000))
    }
    private func node(_ word: String) -> NodeID? {
        guard word.hasPrefix("n"), let number = UInt16(word.dropFirst()), Int(number) <= nodeCount else { return nil }
        return NodeID(rawValue: number)
    }

    private func act(_ words: [String]) -> ScenarioAct? {
        switch words.joined(separator: " ") {
        case "witness unreachable": return .witness(isReachable: false)
        case "witness reachable": return .witness(isReachable: true)
        case "link restored": return .restoreLinks
        default: break
        }
        if words.starts(with: ["link", "cut"]) {
            let parts = words.dropFirst(2).split(separator: "|").map { part in part.map { node($0) } }
            guard parts.count > 1, !parts.contains(where: { $0.contains(nil) }) else { return nil }
            return .cutLinks(parts.map { $0.compactMap { $0 } })
        }
        if words.starts(with: ["link", "between"]), words.count == 5, words[4] == "cut" {
            guard let one = node(words[2]), let other = node(words[3]), one != other else { return nil }
            return .cutPair(one, other)
        }
        guard let first = words.first, let id = node(first) else { return nil }
        if words.count == 4, words[1] == "clock" {
            guard let time = Self.time(words[3]) else { return nil }
            switch words[2] {
            case "forward": return .setClock(id, by: time)
            case "back": return .setClock(id, by: .zero - time)
            default: return nil
            }
        }
        switch words.dropFirst().joined(separator: " ") {
        case "power off": return .powerOff(id)
        case "power on", "start": return .powerOn(id)
        case "stop": return .stop(id)
        case "service killed": return .killService(id)
        case "SAN cut": return .cutSAN(id)
        case "SAN restored": return .restoreSAN(id)
        case "force quorum": return .forceQuorum(id)
        case let other where other.hasPrefix("change "): return .change(String(other.dropFirst(7)), id)
        default: return nil
        }
    }

    private func expectation(_ words: [String]) -> Expectation? {
        guard words.count > 1 else { return nil }
        let rest = words.dropFirst().joined(separator: " ")
        if let id = node(words[0]) {
            if rest.hasPrefix("says ") { return .says(id, String(rest.dropFirst(5))) }
            if rest.hasPrefix("knows ") { return .knows(id, String(rest.dropFirst(6)), true) }
            if rest.hasPrefix("does not know ") { return .knows(id, String(rest.dropFirst(14)), false) }
            return .status(id, rest)
        }
        guard machines.contains(where: { $0.name == words[0] }) else { return nil }
        return .machine(VMName(unchecked: words[0]), rest)
    }

    /// Plays the story.
    ///
    /// - Returns: The world at its end, for its log, and every line that did not hold, with what was found instead. A violated
    ///   invariant is one too.
    public func run() throws(ScenarioError) -> (world: ScenarioWorld, failures: [ScenarioError]) {
        var world = try ScenarioWorld(
            nodes: nodeCount, hasWitness: hasWitness, isDynamic: isDynamic, secondsUntilStop: secondsUntilStop, machines: machines)
        var failures: [ScenarioError] = []
        for (number, time, line) in lines {
            while world.now < time { world.step() }
            switch line {
            case .act(let act): world.perform(act)
            case .expect(let expectation):
                if let found = Self.difference(expectation, world) { failures.append(ScenarioError(line: number, problem: found)) }
            }
        }
        failures += world.violations.map { ScenarioError(line: 0, problem: $0) }
        return (world, failures)
    }

    private static func difference(_ expectation: Expectation, _ world: ScenarioWorld) -> String? {
        let (what, expected, found) =
            switch expectation {
            case .status(let id, let text): ("n\(id)", text, world.status(of: id))
            case .says(let id, let text): ("n\(id) says", text, world.standing(of: id).sentence)
            case .machine(let name, let text): ("\(name)", text, world.whereabouts(of: name))
            case .knows(let id, let text, let isKnown):
                ("n\(id) and \"\(text)\"", isKnown ? "known" : "not known", world.knows(id, text) ? "known" : "not known")
            }
        return expected == found ? nil : "\(what): expected \"\(expected)\", found \"\(found)\""
    }
}
