import ClusterModel
import DurableFiles
import Foundation
import Synchronization

/// The last hundred migrations that left this node, kept over restarts.
final class MigrationHistory: Sendable {
    static let limit = 100
    private let file: URL
    private let kept: Mutex<[MigrationRecord]>

    /// A history that cannot be read is begun anew; it is told, not decided by.
    init(stateFolder: String) {
        file = URL(filePath: stateFolder).appending(path: "migrations.json")
        let old = (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode([MigrationRecord].self, from: $0) }
        kept = Mutex(old ?? [])
    }

    func add(_ record: MigrationRecord) throws {
        let all = kept.withLock { records in
            records.insert(record, at: 0)
            records.removeLast(max(records.count - Self.limit, 0))
            return records
        }
        try DurableFile.replace(file.path, with: [UInt8](JSONEncoder().encode(all)))
    }

    func records() -> [MigrationRecord] { kept.withLock { $0 } }
    func record(_ id: UUID) -> MigrationRecord? { records().first { $0.id == id } }
}

extension MigrationRecord {
    var asStatus: MigrationStatus {
        let phase: MigrationPhase =
            switch outcome {
            case .completed: .completed
            case .cancelled: .cancelled
            case .failed, .lost: .failed
            }
        return MigrationStatus(
            id: id, order: order, source: source,
            progress: MigrationProgress(
                phase: phase, pass: passes, transferredBytes: transferredBytes, elapsedMilliseconds: totalMilliseconds),
            record: self)
    }
}
