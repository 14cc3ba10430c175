import ClusterModel
import SharedDisks
import Validation

/// Where the tests of reservations may write on a disk.
enum ScratchPlace {
    /// The end of the scratch area, so that what other tests leave at its beginning is not taken for ours.
    static let byteOffset = ScratchArea.byteOffset + UInt64(ScratchArea.byteCount) - byteCount
    static let byteCount: UInt64 = 64 << 10

    /// The node looks for itself, whatever it is asked: a disk that carries anything of others, or of machines, is not written to.
    static func check(_ disk: SharedDisk) async throws {
        let status = try await disk.status()
        switch status.content {
        case .empty: break
        case .clusterSharedVolume(_, let label):
            guard status.extents.isEmpty else {
                throw ProbeProblem("Volume \(label) on \(disk.id) holds \(status.extents.count) disks of machines; it is not tested.")
            }
        case .foreign(let what): throw ProbeProblem("\(disk.id) carries something of others and is not tested: \(what).")
        case .damaged(let what): throw ProbeProblem("\(disk.id) cannot be trusted and is not tested: \(what).")
        }
        guard disk.byteCount >= ScratchArea.smallestDisk, ScratchStamp.byteCount % disk.blockByteCount == 0 else {
            throw ProbeProblem(
                "\(disk.id) is smaller than \(ScratchArea.smallestDisk >> 20) MiB, or has blocks of \(disk.blockByteCount) bytes; it is not tested."
            )
        }
    }
}
