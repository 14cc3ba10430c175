import ClusterAPI
import ClusterModel
import Validation

/// What a validation is going to write to which disks, said before it begins.
///
/// As far as the asked node sees it: a disk that another node does not see, or uses, is left alone too, and the report says so.
struct WrittenDisks {
    private let chosen: [SharedDiskStatus]
    private let refused: [String]

    init(_ request: StartValidationRequest, _ offer: ValidationOffer) {
        let wanted = offer.disks.filter {
            request.disks.contains($0.id) || request.allEmptyDisks == true && $0.content == .empty
        }
        chosen = wanted.filter { Self.obstacle(to: $0) == nil }
        let unknown = request.disks.filter { id in !offer.disks.contains { $0.id == id } }
        refused =
            wanted.compactMap { disk in Self.obstacle(to: disk).map { "\(Self.name(disk)) is left alone: \($0)." } }
            + unknown.map { "\(offer.node) sees no shared disk \($0); see: apus disk list." }
    }

    private static func obstacle(to disk: SharedDiskStatus) -> String? {
        guard disk.extents.isEmpty else { return "it holds \(disk.extents.count) disks of machines" }
        guard disk.byteCount >= ScratchArea.smallestDisk else { return "it is smaller than \(Units.bytes(ScratchArea.smallestDisk))" }
        switch disk.content {
        case .empty, .clusterSharedVolume: return nil
        case .foreign(let what): return "it carries something of others, \(what)"
        case .damaged(let what): return "it cannot be trusted, \(what)"
        }
    }

    /// `LUN 2 (t10.APUS-1, 8.00 GiB)`.
    static func name(_ disk: SharedDiskStatus) -> String { "LUN \(disk.lun) (\(disk.id), \(Units.bytes(disk.byteCount)))" }

    var sentences: [String] {
        let first =
            chosen.isEmpty
            ? "No disk is written to; tests that need one do not apply (--disk ID or --all-empty-disks)."
            : "Tests write to these disks \(ScratchArea.place), where a volume has room for its metadata, and put back what was there:\n"
                + chosen.map { "  - \(Self.name($0)), \($0.content.sentence)" }.joined(separator: "\n")
        return [first] + refused
    }
}
