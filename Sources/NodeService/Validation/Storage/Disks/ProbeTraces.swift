import ClusterModel
import DurableFiles
import Foundation
import Logging
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

    private func path(_ trace: ScratchTrace) -> String { "\(folder)/scratch-\(trace.lease.uuidString).json" }
    private func path(_ trace: ShareTrace) -> String { "\(folder)/share-\(trace.id.uuidString).json" }

    private func write(_ trace: some Encodable, to path: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try DurableFile.replace(path, with: [UInt8](JSONEncoder().encode(trace)))
    }

    /// A file that cannot be read was being written when the power went: then nothing had been written to the disk yet.
    private func read<Trace: Decodable>(_ prefix: String) -> [Trace] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".json") }.sorted().compactMap { name in
            FileManager.default.contents(atPath: "\(folder)/\(name)").flatMap { try? JSONDecoder().decode(Trace.self, from: $0) }
        }
    }

    // MARK: At start

    /// Other nodes of the run may write for so long after the one that asked them is gone.
    private static let longestWriter = Duration.seconds(10)

    /// Takes back what an earlier service left, and ends. A SAN that cannot be reached is asked again.
    func cleanUp(_ storage: StorageAccess, _ logger: Logger) async {
        for trace in shares() where trace.service != Self.service {
            do {
                try await trace.removeFolder()
                remove(trace)
                logger.notice("removed what a validation left on a share", metadata: ["folder": "\(trace.folder)"])
            } catch { logger.warning("what a validation left on a share cannot be removed", metadata: ["reason": "\(error)"]) }
        }
        var left = scratches().filter { $0.service != Self.service }
        var complained = false
        while !left.isEmpty, !Task.isCancelled {
            var next: [ScratchTrace] = []
            for trace in left {
                do {
                    let disk = try await storage.knownDisk(trace.disk)
                    try await ScratchLease.restore(trace, on: disk)
                    try await Task.sleep(for: Self.longestWriter)
                    try await ScratchLease.restore(trace, on: disk)
                    remove(trace)
                    logger.notice("restored the scratch area of a disk that a validation had left", metadata: ["disk": "\(trace.disk)"])
                } catch {
                    if !complained, !Task.isCancelled {
                        logger.warning(
                            "the scratch area of a disk cannot be restored yet; trying again",
                            metadata: ["disk": "\(trace.disk)", "reason": "\(error)"])
                    }
                    complained = true
                    next.append(trace)
                }
            }
            left = next
            // Ends early only when cancelled, which the loop sees.
            if !left.isEmpty { try? await Task.sleep(for: .seconds(2)) }
        }
    }
}
