import Foundation
import Lab
import LabTesting
import Testing

/// Builds one lab of two nodes that belong to no cluster for the whole target, and takes it down whatever happened.
struct ValidationTrait: SuiteTrait, TestScoping {
    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        try await labPrefix.takeDownOrphans()
        let prefix = labPrefix.own
        do {
            let stage = try await ValidationStage.build(prefix: prefix)
            try await ValidationStage.$current.withValue(stage) { try await function() }
            await stage.close()
        } catch {
            try await LabBuilder.down(prefix: prefix)
            throw error
        }
        try await LabBuilder.down(prefix: prefix)
    }
}

extension Trait where Self == ValidationTrait {
    static var validationLab: ValidationTrait { ValidationTrait() }
}

let labPrefix = LabPrefix(letter: "v")

/// Every test of this target: extend it with a suite of your own, so that all share one lab and none runs beside another.
///
///     extension ValidationLab {
///         @Suite("Faults of disks") struct DiskFaults { … }
///     }
@Suite("Validation in the lab", .serialized, .validationLab) enum ValidationLab {}
