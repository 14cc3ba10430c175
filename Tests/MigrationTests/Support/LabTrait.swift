import Foundation
import Lab
import LabTesting
import Testing

/// Builds one lab for a whole suite, and takes it down whatever happened.
struct LabTrait: SuiteTrait, TestScoping {
    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        try await labPrefix.takeDownOrphans()
        let prefix = labPrefix.own
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

let labPrefix = LabPrefix(letter: "t")
