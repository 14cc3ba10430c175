public import ClusterModel
import Foundation
import Glibc

/// Why nothing could be learned about this node's QEMU.
public enum QEMUFactsError: Error, Hashable, Sendable, CustomStringConvertible {
    case notStarted(program: String, reason: String)
    case noProbeFile(reason: String)
    /// It ran but did not say what was asked; its words.
    case noAnswer(program: String, words: String)
    case cache(path: String, reason: String)

    public var description: String {
        switch self {
        case .notStarted(let program, let reason):
            "\(program) cannot be run: \(reason). Install the Debian package qemu-system-x86."
        case .noProbeFile(let reason): "The guest that probes acceleration cannot be written: \(reason)"
        case .noAnswer(let program, let words):
            "\(program) did not say what it offers within 10 s." + (words.isEmpty ? "" : " Its last words: \(words)")
        case .cache(let path, let reason): "\(path) cannot be written: \(reason)"
        }
    }
}

/// What this node's QEMU offers to machines.
public struct QEMUFacts: Hashable, Sendable, Codable {
    /// For instance `7.2.22`.
    public var version: String
    public var acceleration: Acceleration
    /// Why this acceleration: a sentence.
    public var evidence: String
    /// Versioned types of the two boards that definitions may name, sorted.
    public var machineTypes: [String]
    /// Models that a guest gets complete with this acceleration, and that can move; sorted.
    public var cpuModels: [String]

    /// Asks QEMU, and probes acceleration; or takes what an earlier call found since this boot with the same QEMU and user.
    ///
    /// - Parameters:
    ///   - user: Whom machines run as.
    ///   - cache: A file that keeps the result; nil keeps nothing. A file that cannot be read is ignored and written anew.
    public static func discover(
        program: String = "/usr/bin/qemu-system-x86_64", user: MachineUser?, cache: String?
    ) async throws(QEMUFactsError) -> QEMUFacts {
        let key = try Self.key(program: program, user: user)
        if let cache, let text = MachineFolder.tail(of: cache, byteCount: 1 << 20),
            let kept = try? JSONDecoder().decode(Cached.self, from: Data(text.utf8)), kept.key == key
        {
            return kept.facts
        }
        let finding = try await AccelerationProbe.run(program: program, user: user)
        let answers = try await ask(program: program, user: user, acceleration: finding.acceleration)
        let facts = QEMUFacts(
            version: answers.version, acceleration: finding.acceleration, evidence: finding.evidence,
            machineTypes: answers.machineTypes, cpuModels: answers.cpuModels)
        if let cache {
            do {
                try JSONEncoder().encode(Cached(key: key, facts: facts)).write(to: URL(filePath: cache), options: .atomic)
            } catch { throw .cache(path: cache, reason: error.localizedDescription) }
        }
        return facts
    }

    private struct Cached: Codable {
        var key: String
        var facts: QEMUFacts
    }

    /// Everything that could change the answer: the program, the kernel, this boot (modules, hardware), whom it runs as.
    private static func key(program: String, user: MachineUser?) throws(QEMUFactsError) -> String {
        var facts = stat()
        guard stat(program, &facts) == 0 else { throw .notStarted(program: program, reason: systemMessage(errno)) }
        func line(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "unknown" }
        let groups = user.map { $0.groups.sorted().map(String.init).joined(separator: ",") } ?? ""
        return [
            program, "\(facts.st_size)", "\(facts.st_mtim.tv_sec)", line("/proc/sys/kernel/osrelease"),
            line("/proc/sys/kernel/random/boot_id"),
            user?.name ?? "", groups,
        ].map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.joined(separator: " ")
    }

    /// A QEMU without a machine that answers on its standard output (QEMU QMP reference, `query-machines`, `query-cpu-definitions`).
    private static func ask(
        program: String, user: MachineUser?, acceleration: Acceleration
    ) async throws(QEMUFactsError) -> QEMUAnswers {
        let commands = ["qmp_capabilities", "query-machines", "query-cpu-definitions", "quit"]
        let run = try await QEMURun.run(
            program,
            ["-nodefaults", "-no-user-config", "-display", "none", "-machine", "none", "-accel", acceleration.rawValue, "-qmp", "stdio"],
            input: commands.map { "{\"execute\":\"\($0)\",\"id\":\"\($0)\"}\n" }.joined(), user: user, deadline: .seconds(10))
        guard let answers = QEMUAnswers(lines: run.output) else {
            throw .noAnswer(program: program, words: lastWords(in: run.errors, program: program))
        }
        return answers
    }
}

/// What QEMU said about itself, line by line.
struct QEMUAnswers: Hashable {
    private(set) var version = ""
    private(set) var machineTypes: [String] = []
    private(set) var cpuModels: [String] = []

    /// - Returns: nil unless greeting and both answers are there.
    init?(lines: String) {
        let decoder = JSONDecoder()
        for line in lines.split(whereSeparator: \.isNewline) {
            // Events and answers to the other commands have other members and decode as neither.
            let data = Data(line.utf8)
            if let greeting = try? decoder.decode(Greeting.self, from: data) {
                let number = greeting.content.version.qemu
                version = "\(number.major).\(number.minor).\(number.micro)"
            } else if let answer = try? decoder.decode(Machines.self, from: data), answer.id == "query-machines" {
                machineTypes = answer.return.map(\.name).filter(Self.isVersioned)
                    .sorted { $0.compare($1, options: .numeric) == .orderedAscending }
            } else if let answer = try? decoder.decode(Processors.self, from: data), answer.id == "query-cpu-definitions" {
                // `host`, `max` and `base` mean something else on every host.
                cpuModels = answer.return.filter { $0.unavailableFeatures == [] && !["host", "max", "base"].contains($0.name) }
                    .map(\.name).sorted()
            }
        }
        if version.isEmpty || machineTypes.isEmpty || cpuModels.isEmpty { return nil }
    }

    private static func isVersioned(_ type: String) -> Bool {
        ["pc-q35-", "pc-i440fx-"].contains { type.hasPrefix($0) && type.dropFirst($0.count).first?.isNumber == true }
    }

    private struct Greeting: Decodable {
        struct Content: Decodable { var version: Version }
        struct Version: Decodable { var qemu: Number }
        struct Number: Decodable {
            var major: Int
            var minor: Int
            var micro: Int
        }
        // The greeting's only member is called QMP (qmp-spec.txt, section 2.2).
        var content: Content
        enum CodingKeys: String, CodingKey { case content = "QMP" }
    }
    private struct Machines: Decodable {
        struct Machine: Decodable { var name: String }
        var id: String
        var `return`: [Machine]
    }
    private struct Processors: Decodable {
        struct Processor: Decodable {
            var name: String
            var unavailableFeatures: [String]?
            enum CodingKeys: String, CodingKey {
                case name
                case unavailableFeatures = "unavailable-features"
            }
        }
        var id: String
        var `return`: [Processor]
    }
}
