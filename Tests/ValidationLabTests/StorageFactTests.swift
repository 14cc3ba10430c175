import ClusterModel
import Testing
import Validation

extension ValidationLab {
    @Suite("Healthy nodes") struct Healthy {
        @Test("Two nodes of the lab answer, and both see its disks") func answers() async throws {
            let run = try await ValidationStage.get().validate("inventory/disks")
            #expect(run.nodes.map(\.name) == [ValidationStage.n1, ValidationStage.n2])
            #expect(run.nodes.allSatisfy { $0.problem == nil })
            #expect(try run.result("inventory/disks").verdict == .pass)
        }
    }
}
