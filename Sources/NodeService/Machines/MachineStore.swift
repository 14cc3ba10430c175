import ClusterModel
import DurableFiles
import Foundation
import Glibc

/// What this node remembers of a machine across restarts. Who may run it is not here: that stands on the shared disk.
struct StoredMachine: Codable, Hashable, Sendable {
    var machine: VirtualMachine
    /// What the operator asked for last.
    var shouldRun: Bool
    /// Set while it is being received.
    var incoming: IncomingMigration?
    /// Set while this node hands it over; the shared disk says whether it did.
    var outgoing: UUID?
    /// Where it is handed over to.
    var destination: NodeName?
    /// What was asked for and when, so that the history can tell of a migration whose service died.
    var order: MigrationOrder?
    var orderedAt: Date?

    struct IncomingMigration: Codable, Hashable, Sendable {
        var migration: UUID
        var source: NodeName
        /// The source's epoch; ours must be higher.
        var epoch: UInt64
    }
}

/// One JSON file a machine, replaced as a whole and synced, so that a crash leaves the old or the new one.
struct MachineStore: Sendable {
    let folder: URL

    init(stateFolder: String) throws {
        folder = URL(filePath: stateFolder).appending(path: "machines")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// Every machine that can be read; the others with the reason.
    func load() throws -> (machines: [StoredMachine], unreadable: [(file: String, reason: String)]) {
        var machines: [StoredMachine] = []
        var unreadable: [(file: String, reason: String)] = []
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        where file.pathExtension == "json" {
            do {
                machines.append(try JSONDecoder().decode(StoredMachine.self, from: Data(contentsOf: file)))
            } catch {
                unreadable.append((file.path, "\(error)"))
            }
        }
        return (machines.sorted { $0.machine.name < $1.machine.name }, unreadable)
    }

    func save(_ stored: StoredMachine) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try DurableFile.replace(file(of: stored.machine.name).path, with: [UInt8](encoder.encode(stored)))
    }

    func remove(_ name: VMName) throws {
        let file = file(of: name)
        guard FileManager.default.fileExists(atPath: file.path) else { return }
        try FileManager.default.removeItem(at: file)
    }

    private func file(of name: VMName) -> URL { folder.appending(path: "\(name).json") }
}
