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
    private static let firstFrameWait = Duration.milliseconds(80)
    /// A guest that was silent for longer before the switchover gives nothing to measure a gap with.
    private static let measurableSilence: Int64 = 1_000_000

    private let taps: [(interface: String, tap: AdapterTap)]
    private let migration: UUID
    private let peer: any PeerOperations
    private let logger: Logger
    private var taken: [String: UInt64] = [:]
    private(set) var forwarded = 0
    private var firstFrame: Double?
    private var isClosed = false

    init(machine: VMDefinition, migration: UUID, peer: any PeerOperations, logger: Logger) throws {
        taps = try AdapterTap.all(of: machine)
        self.migration = migration
        self.peer = peer
        self.logger = logger
    }

    /// Looks how far QEMU is with reading; now and then while the guest runs.
    func noteReading() { for (_, tap) in taps { tap.noteReading() } }

    /// Finds out which frames the guest did not get, just after it stopped.
    func mark(stop: Int64) async {
        for (interface, tap) in taps where taken[interface] == nil { taken[interface] = await tap.lastFrameSeen(stop: stop) }
    }

    /// Frames that the guest did not get here and that were not taken yet.
    ///
    /// - Parameter groupFrames: Whether broadcasts and multicasts are wanted. Once the machine runs on the destination they reach it there.
    func take(groupFrames: Bool) -> [CapturedFrame] {
        var frames: [CapturedFrame] = []
        for (interface, tap) in taps {
            guard let seen = taken[interface] else { continue }
            let (new, last) = tap.frames(after: seen)
            taken[interface] = last
            let wanted = groupFrames ? new : new.filter { !SwitchoverFrame.isForGroup($0.bytes) }
            frames += wanted.map { CapturedFrame(interface: interface, bytes: Data($0.bytes)) }
        }
        forwarded += frames.count
        return frames
    }

    /// The longest silence a peer of the guest saw: its last frame here, the blackout, its first frame there.
    func visibleGap(cut: Int64?, blackout: Duration?) async -> Duration? {
        guard let cut, let blackout else { return nil }
        guard let last = taps.compactMap({ $0.tap.lastFrameFromGuest(until: cut) }).max(), cut - last < Self.measurableSilence
        else { return nil }
        let end = ContinuousClock.now + Self.firstFrameWait
        while firstFrame == nil, ContinuousClock.now < end {
            await deliver()
            try? await Task.sleep(for: .milliseconds(3))
        }
        return firstFrame.map { .microseconds(max(cut - last, 0)) + blackout + .milliseconds(Int64($0)) }
    }

    private func deliver() async {
        do {
            let reply = try await peer.deliverFrames(FrameDelivery(migration: migration, frames: take(groupFrames: false)))
            if firstFrame == nil { firstFrame = reply.firstFrameMilliseconds }
        } catch {
            logger.warning("frames could not be handed to the destination", metadata: ["migration": "\(migration)", "error": "\(error)"])
        }
    }

    /// Goes on delivering for a while, then lets go of the adapters.
    func close(after time: Duration) async {
        guard !isClosed else { return }
        isClosed = true
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end {
            let frames = take(groupFrames: false)
            if !frames.isEmpty { _ = try? await peer.deliverFrames(FrameDelivery(migration: migration, frames: frames)) }
            try? await Task.sleep(for: .milliseconds(5))
        }
        for (interface, tap) in taps {
            let dropped = tap.droppedFrames()
            if dropped > 0 { logger.warning("frames were lost", metadata: ["adapter": "\(interface)", "frames": "\(dropped)"]) }
            tap.stop()
        }
    }
}

extension AdapterTap {
    /// Watches every adapter of a machine on this node, by ``VMInterface/name``.
    static func all(of machine: VMDefinition) throws -> [(interface: String, tap: AdapterTap)] {
        var taps: [(interface: String, tap: AdapterTap)] = []
        do {
            for (index, interface) in machine.interfaces.enumerated() {
                taps.append((interface.name, try AdapterTap(interface: machine.tap(index).name, mac: interface.mac.bytes)))
            }
        } catch {
            for (_, tap) in taps { tap.stop() }
            throw error
        }
        return taps
    }
}
