import SharedDisks
import Validation

/// Where the tests of reservations may write on a disk.
enum ScratchPlace {
    /// At the end of the room that a Cluster Shared Volume keeps for its metadata, which no structure uses.
    static let byteOffset: UInt64 = 16 << 20
    static let byteCount: UInt64 = 64 << 10

    static func offset(on disk: SharedDisk) throws -> UInt64 {
        guard disk.byteCount >= 32 << 20, ScratchStamp.byteCount % disk.blockByteCount == 0 else {
            throw ProbeProblem("\(disk.id) is smaller than 32 MiB, or has blocks of \(disk.blockByteCount) bytes; it is not written to.")
        }
        return byteOffset
    }
}
