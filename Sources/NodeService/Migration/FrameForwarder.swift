import ClusterAPI
import ClusterModel
import Foundation
import Logging
import SwitchoverFrames

/// Hands the guest, on the destination, every frame that reached its adapters on the source after it stopped there.
actor FrameForwarder {
    /// Until switches have learned the new port from the announcement and from the guest's own traffic.
    static let afterglow = Duration.milliseconds(300)
    /// How long the record of a migration waits for the guest's first frame on the destination.
    private static let firstFrameWait = Duration.milliseconds(80)
    /// A guest that was silent for longer before the switchover gives nothing to measure a gap with.
    private static let measurableSilence: Int64 = 1_000_000

    private let recorders: [(interface: String, recorder: FrameRecorder)]
    private let migration: UUID
    private let peer: any PeerOperations
    private let logger: Logger
    private var taken: [String: UInt64] = [:]
    private(set) var forwarded = 0
    private var firstFrame: Double?
    private var isClosed = false

    init(machine: VMDefinition, migration: UUID, peer: any PeerOperations, logger: Logger) throws {
        recorders = try machine.interfaces.enumerated().map { index, interface in
            (interface.name, try FrameRecorder(interface: machine.tapName(index), mac: interface.mac.bytes))
        }
        self.migration = migration
        self.peer = peer
        self.logger = logger
    }

    /// Frames since the cut that were not taken yet.
    ///
    /// - Parameter cut: The guest's stop in microseconds since 1970; nil, when QEMU did not tell, gives none.
    func take(from cut: Int64?) -> [CapturedFrame] {
        guard let cut else { return [] }
        var frames: [CapturedFrame] = []
        for (interface, recorder) in recorders {
            let (new, last) = recorder.frames(from: cut, after: taken[interface] ?? 0)
            taken[interface] = last
            frames += new.map { CapturedFrame(interface: interface, bytes: Data($0.bytes)) }
        }
        forwarded += frames.count
        return frames
    }

    /// The longest silence a peer of the guest saw: its last frame here, the blackout, its first frame there.
    func visibleGap(cut: Int64?, blackout: Duration?) async -> Duration? {
        guard let cut, let blackout else { return nil }
        guard let last = recorders.compactMap({ $0.recorder.lastFrameFromGuest }).filter({ $0 <= cut + 1_000 }).max(),
            cut - last < Self.measurableSilence
        else { return nil }
        let end = ContinuousClock.now + Self.firstFrameWait
        while firstFrame == nil, ContinuousClock.now < end {
            await deliver(from: cut)
            try? await Task.sleep(for: .milliseconds(3))
        }
        return firstFrame.map { .microseconds(max(cut - last, 0)) + blackout + .milliseconds(Int64($0)) }
    }

    private func deliver(from cut: Int64) async {
        do {
            let reply = try await peer.deliverFrames(FrameDelivery(migration: migration, frames: take(from: cut)))
            if firstFrame == nil { firstFrame = reply.firstFrameMilliseconds }
        } catch {
            logger.warning("frames could not be handed to the destination", metadata: ["migration": "\(migration)", "error": "\(error)"])
        }
    }

    /// Goes on delivering for a while, then lets go of the adapters.
    func close(after time: Duration, cut: Int64? = nil) async {
        guard !isClosed else { return }
        isClosed = true
        let end = ContinuousClock.now + time
        while let cut, ContinuousClock.now < end {
            let frames = take(from: cut)
            if !frames.isEmpty { _ = try? await peer.deliverFrames(FrameDelivery(migration: migration, frames: frames)) }
            try? await Task.sleep(for: .milliseconds(5))
        }
        for (_, recorder) in recorders { recorder.stop() }
    }
}
