import Foundation
import Lab
import Testing

/// Builds one lab with a running cluster for a whole suite, and takes it down whatever happened.
struct ClusterTrait: SuiteTrait, TestScoping {
    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        let prefix = Self.prefix
        do {
            let stage = try await ClusterStage.build(prefix: prefix)
            try await ClusterStage.$current.withValue(stage) { try await function() }
            await stage.close()
        } catch {
            try await LabBuilder.down(prefix: prefix)
            throw error
        }
        try await LabBuilder.down(prefix: prefix)
    }

    /// Named after the process, so that runs do not meet: five letters hold every process number (proc(5), pid_max).
    private static let prefix: String = {
        var rest = Int(getpid())
        var letters = ""
        for _ in 0..<5 {
            letters = String(UnicodeScalar(UInt8(ascii: "a") + UInt8(rest % 26))) + letters
            rest /= 26
        }
        return "c" + letters
    }()
}

extension Trait where Self == ClusterTrait {
    static var cluster: ClusterTrait { ClusterTrait() }
}
