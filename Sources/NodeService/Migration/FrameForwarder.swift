import ClusterAPI
import ClusterModel
import Foundation
import Logging
import QEMU
import SwitchoverFrames

/// Hands the guest, on the destination, every frame that reached its adapters on the source after it stopped there.
actor FrameForwarder {
    /// Until switches have learned the new port from the announcement and from the guest's own traffic.
    static let afterglow = Duration.milliseconds(300)
    /// How long the record of a migration waits for the guest's first frame on the destination.
    private static let firstFrameWait = Duration.milliseconds(40)
    /// A guest that was silent for longer before the switchover gives nothing to measure a gap with.
    private static let measurableSilence: Int64 = 1_000_000

    private let recorders: [(interface: String, recorder: FrameRecorder)]
    private let migration: UUID
    private let peer: any PeerOperations
    private let logger: Logger
    private var taken: [String: UInt64] = [:]
    private(set) var forwarded = 0
    private var firstFrame: Double?
    private var missed = 0
    private var isClosed = false

    init(machine: VMDefinition, migration: UUID, peer: any PeerOperations, logger: Logger) throws {
        recorders = try machine.onEveryAdapter({ try FrameRecorder(interface: $0, mac: $1) }, undo: { $0.stop() })
        self.migration = migration
        self.peer = peer
        self.logger = logger
    }

    /// Frames that the guest did not get here and that were not taken yet.
    ///
    /// - Parameter cut: The guest's stop in microseconds since 1970; nil, when QEMU did not tell, gives none.
    func take(from cut: Int64?) -> [CapturedFrame] {
        guard let cut else { return [] }
        var frames: [CapturedFrame] = []
        missed = 0
        for (interface, recorder) in recorders {
            let found = recorder.frames(from: cut, after: taken[interface] ?? 0)
            taken[interface] = found.lastSequence
            missed += found.missed
            frames += found.frames.map { CapturedFrame(interface: interface, bytes: Data($0.bytes)) }
        }
        forwarded += frames.count
        return frames
    }

    /// The longest silence a peer of the guest saw: its last frame here, the blackout, its first frame there.
    func visibleGap(cut: Int64?, blackout: Duration?) async -> Duration? {
        guard let cut, let blackout else { return nil }
        guard let last = recorders.compactMap(\.recorder.lastFrameFromGuest).max(), cut - last < Self.measurableSilence else { return nil }
        let end = ContinuousClock.now + Self.firstFrameWait
        while firstFrame == nil, ContinuousClock.now < end, !Task.isCancelled {
            await deliver(take(from: cut))
            try? await Task.sleep(for: .milliseconds(3))
        }
        return firstFrame.map { .microseconds(max(cut - last, 0)) + blackout + .milliseconds(Int64($0)) }
    }

    private func deliver(_ frames: [CapturedFrame]) async {
        do {
            let reply = try await peer.deliverFrames(FrameDelivery(migration: migration, frames: frames))
            if firstFrame == nil { firstFrame = reply.firstFrameMilliseconds }
        } catch where Task.isCancelled {
            // Whoever cancelled asks again.
        } catch {
            logger.warning("frames could not be handed to the destination", metadata: ["migration": "\(migration)", "error": "\(error)"])
        }
    }

    /// Goes on delivering for a while, then lets go of the adapters.
    func close(after time: Duration, cut: Int64?) async {
        guard !isClosed else { return }
        isClosed = true
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end {
            let frames = take(from: cut)
            if !frames.isEmpty { await deliver(frames) }
            try? await Task.sleep(for: .milliseconds(5))
        }
        if missed > 0 {
            logger.warning("frames were lost at a switchover", metadata: ["migration": "\(migration)", "frames": "\(missed)"])
        }
        for (_, recorder) in recorders { recorder.stop() }
    }
}

extension VMDefinition {
    /// Makes something for the tap of every adapter, by ``VMInterface/name``; if one cannot be made, those before it are undone.
    func onEveryAdapter<Made>(
        _ make: (_ tap: String, _ mac: [UInt8]) throws -> Made, undo: (Made) -> Void
    ) throws -> [(String, Made)] {
        var all: [(String, Made)] = []
        do {
            for (index, interface) in interfaces.enumerated() {
                all.append((interface.name, try make(tap(index).name, interface.mac.bytes)))
            }
        } catch {
            for (_, made) in all { undo(made) }
            throw error
        }
        return all
    }
}
