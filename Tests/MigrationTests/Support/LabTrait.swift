import Foundation
import Lab
import Testing

/// Builds one lab for a whole suite, and takes it down whatever happened.
struct LabTrait: SuiteTrait, TestScoping {
    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        try await LabPrefix.takeDownOrphans()
        let prefix = LabPrefix.own
        let stage: Stage
        do { stage = try await Stage.build(prefix: prefix) } catch {
            try await LabBuilder.down(prefix: prefix)
            throw error
        }
        do {
            try await Stage.$current.withValue(stage) { try await function() }
            try await stage.close()
        } catch {
            try await stage.close()
            throw error
        }
    }
}

extension Trait where Self == LabTrait {
    static var lab: LabTrait { LabTrait() }
}

/// The lab of a test run is named after its process, so that runs do not meet, and a later run finds what a killed one left.
enum LabPrefix {
    static let own = name(of: getpid())

    private static func name(of process: pid_t) -> String {
        // Five letters hold every process number that Linux gives (at most 4,194,304, proc(5), pid_max).
        var rest = Int(process)
        var letters = ""
        for _ in 0..<5 {
            letters = String(UnicodeScalar(UInt8(ascii: "a") + UInt8(rest % 26))) + letters
            rest /= 26
        }
        return "t" + letters
    }

    private static func process(of prefix: String) -> pid_t? {
        guard prefix.utf8.count == 6, prefix.hasPrefix("t") else { return nil }
        return prefix.utf8.dropFirst().reduce(0) { $0 * 26 + pid_t($1 - UInt8(ascii: "a")) }
    }

    static func takeDownOrphans() async throws {
        for prefix in LabBuilder.prefixes() {
            guard let process = process(of: prefix), kill(process, 0) != 0, errno == ESRCH else { continue }
            try await LabBuilder.down(prefix: prefix)
        }
    }
}
