import ClusterModel
import Lab
import LabTesting
import Testing

extension RunWatcher {
    /// Runs a test under watch. Fails it when two QEMUs ever let the guest run at the same time.
    static func during<Result>(_ machine: MovingMachine, _ body: () async throws -> Result) async throws -> Result {
        let nodes = try Stage.nodes.map { try machine.lab.node($0.rawValue) }
        let (result, watcher) = try await during(machine.id, named: machine.name, on: nodes) { _ in try await body() }
        #expect(!watcher.runs.isEmpty, "No QEMU was seen running.")
        #expect(watcher.overlap == nil)
        return result
    }
}
