import Foundation
import Lab
import LabTesting
import Testing

/// Builds one lab with a running cluster for a whole suite, and takes it down whatever happened.
struct ClusterTrait: SuiteTrait, TestScoping {
    var nodes: Int
    /// Whether LUN 1 is the witness, also with an odd number of nodes.
    var hasWitness: Bool
    /// Networks that Corosync has.
    var links = 1

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        try await labPrefix.takeDownOrphans()
        let prefix = labPrefix.own
        do {
            let stage = try await ClusterStage.build(prefix: prefix, nodes: nodes, hasWitness: hasWitness, links: links)
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
    static func cluster(nodes: Int, hasWitness: Bool, links: Int = 1) -> ClusterTrait {
        ClusterTrait(nodes: nodes, hasWitness: hasWitness, links: links)
    }
}

let labPrefix = LabPrefix(letter: "c")
