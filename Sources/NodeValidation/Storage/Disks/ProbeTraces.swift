import ClusterModel
import DurableFiles
import Foundation
import Logging
import NodeService
import SharedDisks
import Validation

/// What tests may have left on disks and shares, in files of the state folder: a service that was killed cleans up when it starts again.
struct ProbeTraces: Sendable {
    /// Tells traces of this service from those of an earlier one.
    static let service = UUID()
    private let folder: String

    init(stateFolder: String) { folder = stateFolder + "/validation" }
    init(_ context: ProbeContext) { self.init(stateFolder: context.configuration.directories.state) }

    // MARK: Files

    func write(_ trace: ScratchTrace) throws { try write(trace, to: path(trace)) }
    func write(_ trace: ShareTrace) throws { try write(trace, to: path(trace)) }
    func holds(_ trace: ScratchTrace) -> Bool { access(path(trace), F_OK) == 0 }
    func holds(_ trace: ShareTrace) -> Bool { access(path(trace), F_OK) == 0 }
    func remove(_ trace: ScratchTrace) { unlink(path(trace)) }
    func remove(_ trace: ShareTrace) { unlink(path(trace)) }

    func scratches() -> [ScratchTrace] { read("scratch-") }
    func shares() -> [ShareTrace] { read("share-") }

    private func path(_ trace: ScratchTrace) -> String { "\(folder)/scratch-\(trace.id.uuidString).json" }
    private func path(_ trace: ShareTrace) -> String { "\(folder)/share-\(trace.id.uuidString).json" }

    private func write(_ trace: some Encodable, to path: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try DurableFile.replace(path, with: [UInt8](JSONEncoder().encode(trace)))
    }

    /// Files that cannot be read are told of at start, see ``cleanUp(_:_:)``.
    private func read<Trace: Decodable>(_ prefix: String) -> [Trace] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".json") }.sorted().compactMap { name in
            FileManager.default.contents(atPath: "\(folder)/\(name)").flatMap { try? JSONDecoder().decode(Trace.self, from: $0) }
        }
    }

    // MARK: At start

    /// Other nodes of the run may write for so long after the one that asked them is gone.
    private static let longestWriter = Duration.seconds(10)

    /// Takes back what an earlier service left, and what could not be taken back when a run ended. A SAN that cannot be reached is asked again.
    func cleanUp(_ storage: StorageAccess, _ logger: Logger) async {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let known = Set(scratches().map { path($0) } + shares().map { path($0) })
        for name in names where (name.hasPrefix("scratch-") || name.hasPrefix("share-")) && !known.contains("\(folder)/\(name)") {
            logger.error(
                "a trace of a validation cannot be read; blocks that begin with APUSDISK may be left between 10 and 14 MiB of a disk",
                metadata: ["file": "\(folder)/\(name)"])
        }
        for trace in shares() where trace.service != Self.service {
            do {
                try await trace.removeFolder()
                remove(trace)
                logger.notice("removed what a validation left on a share", metadata: ["folder": "\(trace.folder)"])
            } catch { logger.warning("what a validation left on a share cannot be removed", metadata: ["reason": "\(error)"]) }
        }
        var complained = false
        while !Task.isCancelled {
            let late = await ScratchWriters.shared.left
            for trace in scratches() where trace.service != Self.service || late.contains(trace.id) {
                do {
                    try await takeBack(trace, try await storage.knownDisk(trace.disk))
                    await ScratchWriters.shared.took(trace)
                    logger.notice("restored the scratch area of a disk that a validation had left", metadata: ["disk": "\(trace.disk)"])
                } catch {
                    if !complained, !Task.isCancelled {
                        logger.warning(
                            "the scratch area of a disk cannot be restored yet; trying again",
                            metadata: ["disk": "\(trace.disk)", "reason": "\(error)"])
                    }
                    complained = true
                }
            }
            // Ends early only when cancelled, which the loop sees.
            try? await Task.sleep(for: .seconds(2))
        }
    }

    private func takeBack(_ trace: ScratchTrace, _ disk: SharedDisk) async throws {
        try await ScratchLease.restore(trace, on: disk)
        try await Task.sleep(for: Self.longestWriter)
        try await ScratchLease.restore(trace, on: disk)
        remove(trace)
    }
}
