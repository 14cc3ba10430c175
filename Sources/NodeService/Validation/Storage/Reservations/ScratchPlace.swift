import ClusterModel
import SharedDisks
import Validation

/// Where the tests of reservations may write on a disk.
enum ScratchPlace {
    /// The end of the scratch area, which lies in the room that a Cluster Shared Volume keeps for its metadata and no structure uses.
    static let byteOffset: UInt64 = (14 << 20) - byteCount
    static let byteCount: UInt64 = 64 << 10

    /// The node looks for itself, whatever it is asked: a disk that carries anything of others, or of machines, is not written to.
    static func disk(_ id: DiskID, _ context: ProbeContext) async throws -> SharedDisk {
        guard let status = try await context.storage.inventory().first(where: { $0.id == id }) else {
            throw ProbeProblem("\(context.node) sees no shared disk \(id).")
        }
        switch status.content {
        case .empty: break
        case .clusterSharedVolume(_, let label):
            guard status.extents.isEmpty else {
                throw ProbeProblem("Volume \(label) on \(id) holds \(status.extents.count) disks of machines; it is not tested.")
            }
        case .foreign(let what): throw ProbeProblem("\(id) carries something of others and is not tested: \(what).")
        case .damaged(let what): throw ProbeProblem("\(id) cannot be trusted and is not tested: \(what).")
        }
        guard status.byteCount >= 32 << 20, ScratchStamp.byteCount % status.blockByteCount == 0 else {
            throw ProbeProblem("\(id) is smaller than 32 MiB, or has blocks of \(status.blockByteCount) bytes; it is not tested.")
        }
        return try await context.storage.disk(id)
    }
}
