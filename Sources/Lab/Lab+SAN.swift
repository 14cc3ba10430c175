import ClusterModel
import Foundation

extension Lab {
    /// Ends the SAN's target without a warning and starts it anew. The disks are as they were; reservations and registrations are gone,
    /// because tgt keeps them in memory.
    public func restartSAN() async throws(LabError) {
        for process in san.processes(named: "tgtd") { kill(process, SIGKILL) }
        for _ in 0..<250 where !san.processes(named: "tgtd").isEmpty {
            do { try await Task.sleep(for: .milliseconds(20)) } catch { throw .refused("Restarting the SAN was cancelled.") }
        }
        try await SAN(keeper: keeper(.san), folder: folder, description: description, credentials: record.credentials).start()
    }
}
