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
    /// How long the guest's first frame is asked for when there is nothing to deliver.
    private static let firstFramePatience = Duration.seconds(1)
    /// Between two deliveries, and after one that failed.
    private static let pace = Duration.milliseconds(3)
    private static let paceAfterFailure = Duration.milliseconds(50)
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
    /// Taken, and not delivered yet.
    private var unsent: [CapturedFrame] = []
    private var failure: String?
    /// The destination no longer takes frames: late ones have long stopped coming.
    private var isOver = false
    private var began: ContinuousClock.Instant?
    private var pump: Task<Void, Never>?

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
        var missedNow = 0
        for (interface, recorder) in recorders {
            let found = recorder.frames(from: cut, after: taken[interface] ?? 0)
            taken[interface] = found.lastSequence
            missedNow += found.missed
            frames += found.frames.map { CapturedFrame(interface: interface, bytes: Data($0.bytes)) }
        }
        // Frames that had no room are told once, others in every answer.
        missed = max(missed, missedNow)
        return frames
    }

    /// Counts frames that went with the order to resume.
    func noteDelivered(_ count: Int) { forwarded += count }

    /// Begins to deliver what still arrives here: the machine runs on the destination. Goes on until ``close(after:)``, whoever waits for it.
    func begin(cut: Int64?) {
        guard pump == nil else { return }
        began = .now
        pump = Task { [weak self] in
            while !Task.isCancelled {
                guard let pause = await self?.deliverNext(cut) else { return }
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// Frames whose delivery failed stay first in line.
    ///
    /// - Returns: How long to wait for the next; nil when the destination takes no more.
    private func deliverNext(_ cut: Int64?) async -> Duration? {
        if isOver { return nil }
        unsent += take(from: cut)
        let isAwaited = firstFrame == nil && ContinuousClock.now - (began ?? .now) < Self.firstFramePatience
        guard !unsent.isEmpty || isAwaited else { return Self.pace }
        let now = unsent
        unsent = []
        do {
            // In a task of its own: a request that is cancelled half-way may or may not have been carried out.
            let peer = peer
            let delivery = FrameDelivery(migration: migration, frames: now)
            let reply = try await Task { try await peer.deliverFrames(delivery) }.value
            forwarded += now.count
            if firstFrame == nil { firstFrame = reply.firstFrameMilliseconds }
            return Self.pace
        } catch {
            unsent = now + unsent
            failure = "\(error)"
            if let error = error as? APIError, error.code == .notFound { isOver = true }
            return Self.paceAfterFailure
        }
    }

    /// The longest silence a peer of the guest saw: its last frame here, the blackout, its first frame there.
    func visibleGap(cut: Int64?, blackout: Duration?) async -> Duration? {
        guard let cut, let blackout else { return nil }
        guard let last = recorders.compactMap(\.recorder.lastFrameFromGuest).max(), cut - last < Self.measurableSilence else { return nil }
        let end = ContinuousClock.now + Self.firstFrameWait
        while firstFrame == nil, ContinuousClock.now < end, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
        return firstFrame.map { .microseconds(max(cut - last, 0)) + blackout + .milliseconds(Int64($0)) }
    }

    /// Goes on delivering for a while, then lets go of the adapters.
    func close(after time: Duration) async {
        if time > .zero { try? await Task.sleep(for: time) }
        pump?.cancel()
        await pump?.value
        pump = nil
        let lost = missed + unsent.count
        if lost > 0 {
            logger.warning(
                "frames were lost at a switchover",
                metadata: ["migration": "\(migration)", "frames": "\(lost)", "reason": "\(failure ?? "there was no room to keep them")"])
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
