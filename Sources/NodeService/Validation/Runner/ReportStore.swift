import ClusterAPI
import DurableFiles
import Foundation
import Validation

/// Where a node keeps the reports of validations, one JSON file each.
enum ReportStore {
    static func save(_ run: ValidationRun, in folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try APICoding.readableEncoder.encode(run).write(to: URL(filePath: path(run.id, folder)), options: .atomic)
    }

    /// - Returns: nil when there is none.
    static func run(_ id: UUID, in folder: String) throws -> ValidationRun? {
        guard FileManager.default.fileExists(atPath: path(id, folder)) else { return nil }
        return try APICoding.decoder.decode(ValidationRun.self, from: Data(contentsOf: URL(filePath: path(id, folder))))
    }

    private static func path(_ id: UUID, _ folder: String) -> String { "\(folder)/\(id.uuidString.lowercased()).json" }
}
