import ClusterAPI
import ClusterModel
import Corosync
import Forming
import Foundation

/// Corosync on this host, as the cluster folder says it shall be: what every engine stands on.
public struct CorosyncHost: Sendable {
    private let folder: ClusterFolder
    private let files: CorosyncFiles
    private let process = CorosyncProcess()

    public init(folder: ClusterFolder) {
        self.folder = folder
        files = CorosyncFiles()
    }

    /// Installs the files and starts the process, unless both were done.
    public func start(_ member: MemberRecord) async throws(APIError) {
        do {
            try install(member)
            try await process.start()
        } catch { throw APIError(.failed, "Corosync cannot be started on \(member.node): \(error)", node: member.node) }
    }

    /// The configuration that was delivered, unless one of the same cluster is there: that is as new or newer.
    private func install(_ member: MemberRecord) throws {
        if case .ours(let present) = try files.content(), present.clusterID == member.clusterID { return }
        let text = try String(contentsOfFile: folder.corosyncConfiguration, encoding: .utf8)
        let key = try Data(contentsOf: URL(filePath: folder.corosyncKey))
        try files.write(CorosyncConfiguration(parsing: text), key: [UInt8](key))
    }

    public func stop() async throws(APIError) {
        do { try await process.stop() } catch { throw APIError(.failed, "\(error)") }
    }

    public func uninstall() throws(APIError) {
        do { try files.remove() } catch { throw APIError(.failed, "\(error)") }
    }
}
