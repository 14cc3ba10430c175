import Foundation

extension WitnessVolume {
    /// Makes the witness of a cluster an empty disk again.
    ///
    /// - Throws: As ``open(_:cluster:)``: a disk that is not this cluster's witness is left as it is.
    public static func clear(_ disk: SharedDisk, cluster: UUID) async throws(WitnessError) {
        _ = try await open(disk, cluster: cluster)
        do throws(SharedDiskError) { try await disk.clearMetadata() } catch { throw .disk(error) }
    }
}
