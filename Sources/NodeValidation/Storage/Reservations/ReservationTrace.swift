import ClusterModel
import DurableFiles
import Foundation
import ISCSI
import Logging
import NodeService
import Validation

/// What a seat may leave on disks, written down before it does anything: whoever finds it can take it back.
struct ReservationTrace: Codable, Hashable, Sendable {
    struct Disk: Codable, Hashable, Sendable {
        var id: DiskID
        var lun: Int
        /// Where in the disk's scratch area the seat's blocks lie.
        var scratch: UInt64
        /// What was there, once it was read.
        var borrowed: Data?
    }
    var seat: UUID
    var run: UUID
    var key: DiskKey
    var disks: [Disk]

    /// No two seats have one: a target that keeps registrations by initiator port knows the seat again by it.
    var identity: ISCSISessionIdentity { ISCSISessionIdentity(stableFor: "validation seat \(seat)") }
    var clause: String { "removed key \(key) from \(disks.map(\.id.rawValue).joined(separator: ", "))" }
}

/// The traces of this node's seats, and who cleans up after those that could not do it themselves: a service that was killed, or a SAN that
/// was away.
actor ReservationTraces {
    private let folder: String
    private let storage: StorageAccess
    private let logger: Logger
    private var left: [ReservationTrace]
    private var complained = false

    /// - Parameter state: The node's state folder.
    init(state: String, storage: StorageAccess, logger: Logger) {
        folder = state + "/validation"
        self.storage = storage
        self.logger = logger
        left = Self.read(folder, logger)
    }

    private static func path(_ seat: UUID, in folder: String) -> String { "\(folder)/keys-\(seat.uuidString).json" }

    /// Before anybody can take a seat: what is here now was left by a service that is gone.
    private static func read(_ folder: String, _ logger: Logger) -> [ReservationTrace] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().filter { $0.hasPrefix("keys-") && $0.hasSuffix(".json") }.compactMap { name in
            let path = "\(folder)/\(name)"
            guard let data = FileManager.default.contents(atPath: path) else { return nil }
            do { return try JSONDecoder().decode(ReservationTrace.self, from: data) } catch {
                logger.error(
                    "a trace of a validation cannot be read; keys that begin with 0x4156 may be left on disks",
                    metadata: ["file": "\(path)", "reason": "\(error)"])
                return nil
            }
        }
    }

    func write(_ trace: ReservationTrace) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try DurableFile.replace(Self.path(trace.seat, in: folder), with: [UInt8](JSONEncoder().encode(trace)))
    }

    /// Nothing of it is left on the disks.
    func remove(_ trace: ReservationTrace) {
        let path = Self.path(trace.seat, in: folder)
        guard unlink(path) != 0, errno != ENOENT else { return }
        logger.warning(
            "a trace of a validation cannot be removed", metadata: ["file": "\(path)", "reason": "\(String(cString: strerror(errno)))"])
    }

    /// Its seat could not clean up by itself.
    func takeOver(_ trace: ReservationTrace) { left.append(trace) }

    /// Cleans up whatever was left until cancelled; a SAN that cannot be reached is asked again.
    func keepClean() async {
        var pause = Duration.seconds(1)
        while !Task.isCancelled {
            for trace in left { await clean(trace) }
            if left.isEmpty { complained = false }
            // A disk may be gone for good, and then there is no hurry.
            pause = left.isEmpty ? .seconds(1) : min(pause * 2, .seconds(10))
            // Ends early only when cancelled, and then the loop does.
            try? await Task.sleep(for: pause)
        }
    }

    private func clean(_ trace: ReservationTrace) async {
        do {
            let session = try await ISCSISession.open(
                try await storage.sanTarget(), identity: trace.identity, within: ProbePatience.command)
            do { try await ReservationCleaner.clean(trace, over: session) } catch {
                await session.close()
                throw error
            }
            await session.close()
            remove(trace)
            left.removeAll { $0.seat == trace.seat }
            logger.notice("cleaned up after a validation that was cut short", metadata: ["what": "\(trace.clause)"])
        } catch {
            guard !complained, !Task.isCancelled else { return }
            complained = true
            logger.warning("what a validation left cannot be removed yet; trying again", metadata: ["reason": "\(error)"])
        }
    }
}
