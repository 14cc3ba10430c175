import LabTesting
import Testing

extension RunWatcher {
    /// Runs a story under watch. Fails the test when two QEMUs ever let the guest run at the same time.
    static func during(_ machine: GuestMachine, _ story: (RunWatcher) async throws -> Void) async throws {
        let nodes = try ClusterStage.nodes.map { try machine.stage.node($0) }
        let (_, watcher) = try await during(machine.id, named: machine.name, on: nodes) { watcher in
            try #require(!watcher.runs.isEmpty, "No QEMU was seen running.")
            try await story(watcher)
        }
        #expect(watcher.overlap == nil)
    }
}
