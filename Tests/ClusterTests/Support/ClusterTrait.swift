import Foundation
import Lab
import Testing

/// Builds one lab with a running cluster for a whole suite, and takes it down whatever happened.
struct ClusterTrait: SuiteTrait, TestScoping {
    var nodes: Int
    /// Whether LUN 1 is the witness, also with an odd number of nodes.
    var hasWitness: Bool

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        try await LabPrefix.takeDownOrphans()
        let prefix = LabPrefix.own
        do {
            let stage = try await ClusterStage.build(prefix: prefix, nodes: nodes, hasWitness: hasWitness)
            try await ClusterStage.$current.withValue(stage) { try await function() }
            await stage.close()
        } catch {
            try await LabBuilder.down(prefix: prefix)
            throw error
        }
        try await LabBuilder.down(prefix: prefix)
    }
}

extension Trait where Self == ClusterTrait {
    static func cluster(nodes: Int, hasWitness: Bool) -> ClusterTrait { ClusterTrait(nodes: nodes, hasWitness: hasWitness) }
}

/// The lab of a test run is named after its process, so that runs do not meet, and a later run finds what a killed one left.
enum LabPrefix {
    static let own: String = {
        // Five letters hold every process number (at most 4,194,304, proc(5), pid_max).
        var rest = Int(getpid())
        var letters = ""
        for _ in 0..<5 {
            letters = String(UnicodeScalar(UInt8(ascii: "a") + UInt8(rest % 26))) + letters
            rest /= 26
        }
        return "c" + letters
    }()

    private static func process(of prefix: String) -> pid_t? {
        guard prefix.utf8.count == 6, prefix.hasPrefix("c") else { return nil }
        return prefix.utf8.dropFirst().reduce(0) { $0 * 26 + pid_t($1 - UInt8(ascii: "a")) }
    }

    static func takeDownOrphans() async throws {
        for prefix in LabBuilder.prefixes() {
            guard let process = process(of: prefix), kill(process, 0) != 0, errno == ESRCH else { continue }
            try await LabBuilder.down(prefix: prefix)
        }
    }
}
