import ClusterAPI
import ClusterModel
import Corosync
import Forming
import Foundation

/// Corosync on this node, as the cluster folder says it shall be.
public struct CorosyncMembership: MemberEngine {
    private let folder: ClusterFolder
    private let files = CorosyncFiles()
    private let process = CorosyncProcess()

    public init(folder: ClusterFolder) { self.folder = folder }

    public func start(_ member: MemberRecord) async throws(APIError) {
        try install(member)
        do { try await process.start() } catch { throw APIError(.failed, "\(error)", node: member.node) }
    }

    /// The configuration that was delivered, unless a newer one of the same cluster is there.
    private func install(_ member: MemberRecord) throws(APIError) {
        do {
            if case .ours(let present) = try files.content(), present.clusterID == member.clusterID { return }
            let text = try String(contentsOfFile: folder.corosyncConfiguration, encoding: .utf8)
            let key = try Data(contentsOf: URL(filePath: folder.corosyncKey))
            try files.write(CorosyncConfiguration(parsing: text), key: [UInt8](key))
        } catch { throw APIError(.failed, "Corosync cannot be set up on \(member.node): \(error)", node: member.node) }
    }

    public func state() async -> JoinState {
        do throws(CorosyncProcessError) {
            guard case .running = try process.state() else { return JoinState(phase: .starting, note: "Corosync does not run.") }
            return JoinState(phase: .starting, note: "Corosync runs.")
        } catch { return JoinState(phase: .failed, note: "\(error)") }
    }

    public func stop() async throws(APIError) {
        do { try await process.stop() } catch { throw APIError(.failed, "\(error)") }
    }

    public func uninstall() async throws(APIError) {
        do { try files.remove() } catch { throw APIError(.failed, "\(error)") }
    }

    public func detach() async {}
}
