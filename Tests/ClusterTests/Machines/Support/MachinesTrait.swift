import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

/// Builds one lab with a running cluster, a volume and a running machine for a whole suite, and takes it down whatever happened.
struct MachinesTrait: SuiteTrait, TestScoping {
    @TaskLocal static var machine: GuestMachine?

    static func get() throws -> GuestMachine { try #require(machine, "This test runs without its lab.") }

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        try await labPrefix.takeDownOrphans()
        let prefix = labPrefix.own
        do {
            let stage = try await ClusterStage.build(prefix: prefix)
            try await stage.settle()
            try await GuestMachine.prepare(stage)
            let machine = GuestMachine(stage, number: 1)
            try await machine.create()
            _ = try await machine.client(ClusterStage.n1).startMachine(machine.name)
            try await machine.waitForGuest()
            try await Self.$machine.withValue(machine) { try await function() }
            await stage.close()
        } catch {
            try await LabBuilder.down(prefix: prefix)
            throw error
        }
        try await LabBuilder.down(prefix: prefix)
    }
}

extension Trait where Self == MachinesTrait {
    static var machines: MachinesTrait { MachinesTrait() }
}
