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
        try ScratchArea.check(try await disk.status(), consequence: "it is not tested")
        guard ScratchStamp.byteCount % disk.blockByteCount == 0 else {
            throw ProbeProblem("\(disk.id) has blocks of \(disk.blockByteCount) bytes; it is not tested.")
        }
    }
}
