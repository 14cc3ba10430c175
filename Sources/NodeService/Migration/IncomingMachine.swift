import ClusterAPI
import ClusterModel
import Foundation
import Logging
import MigrationRules
import QEMU
import QMP
import SwitchoverFrames

/// A machine on its way to this node: built, waiting for memory, and not running.
actor IncomingMachine {
    nonisolated let offer: IncomingOffer
    nonisolated let local: LocalMachine
    private let logger: Logger
    private var ready: IncomingReady?
    private var taps: [String: AdapterTap] = [:]
    private var resumedAt: Int64?
    private(set) var failure: String?

    init(offer: IncomingOffer, local: LocalMachine, logger: Logger) {
        self.offer = offer
        self.local = local
        self.logger = logger
    }

    /// Opens the port that the source sends to.
    func listen(on address: String, identityFolder: String) async throws -> IncomingReady {
        if let ready { return ready }
        let monitor = local.monitor
        try await MigrationSetup.addCredentials(endpoint: .server, identityFolder: identityFolder, to: monitor)
        try await monitor.execute(.migrateSetCapabilities(MigrationSetup.capabilities(postCopy: offer.postCopy, autoConverge: false)))
        // No announcement before the machine runs: it would draw frames here that QEMU drops.
        try await monitor.execute(
            .migrateSetParameters(
                QMPMigrationParameters(
                    tlsCredentials: MigrationSetup.credentials, multifdChannels: offer.multifdChannels > 0 ? offer.multifdChannels : nil,
                    announceRounds: 0)))
        for (interface, tap) in try AdapterTap.all(of: offer.machine.definition) { taps[interface] = tap }
        try await monitor.execute(.migrateIncoming(at: "tcp:\(IncomingReady(address: address, port: 0).hostAndPort)"))
        let ready = IncomingReady(address: address, port: try await port())
        self.ready = ready
        return ready
    }

    /// Port 0 lets the kernel choose; QEMU tells which (migration.json, `socket-address`).
    private func port() async throws -> Int {
        let end = ContinuousClock.now + .seconds(2)
        while ContinuousClock.now < end {
            if let port = try await local.monitor.execute(.queryMigrate).socketAddresses?.last?.port.flatMap({ Int($0) }) { return port }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw APIError(.failed, "QEMU did not say which port it listens on.")
    }

    /// Post-copy: the link broke; QEMU waits for a new one.
    func listenAgain(on address: String) async throws -> IncomingReady {
        try await local.monitor.execute(.migrateRecover(at: "tcp:\(IncomingReady(address: address, port: 0).hostAndPort)"))
        return IncomingReady(address: address, port: try await port())
    }

    var state: IncomingState {
        get async {
            if local.process.hasEnded {
                return IncomingState(phase: .failed, note: "QEMU ended: \(local.process.lastWords())")
            }
            guard let condition = try? await local.arrival() else { return IncomingState(phase: .unknown, note: "QEMU does not answer.") }
            switch condition {
            case .none: return IncomingState(phase: .failed)
            case .receiving: return IncomingState(phase: .receiving)
            case .received: return IncomingState(phase: .received)
            case .running: return IncomingState(phase: .running)
            }
        }
    }

    /// Runs it and hands it the frames it missed.
    ///
    /// Those are the source's, and what came to the adapter here since the order was on its way: broadcasts reach every port at once, and QEMU
    /// drops what it reads before the machine runs. What the source sent too is not handed over twice.
    /// - Returns: From the order to QEMU's RESUME.
    func run(frames: [CapturedFrame]) async throws -> Duration {
        let began = ContinuousClock.now
        let ordered = Int64(Date().timeIntervalSince1970 * 1e6)
        let events = await local.monitor.events()
        try await local.run()
        let resumed = try await resumeTime(in: events)
        resumedAt = resumed
        let took = ContinuousClock.now - began
        await inject(frames)
        let already = Set(frames.map(\.bytes))
        for (interface, tap) in taps {
            let missed = tap.frames(after: 0, from: ordered - Self.flightTime).frames.filter { $0.microseconds < resumed }
            await inject(missed.map { CapturedFrame(interface: interface, bytes: Data($0.bytes)) }.filter { !already.contains($0.bytes) })
        }
        try await local.monitor.execute(.announceSelf())
        return took
    }

    /// The longest that the source's order is likely to be on its way.
    private static let flightTime: Int64 = 20_000

    private func resumeTime(in events: AsyncStream<QMPEvent>) async throws -> Int64 {
        try await withThrowingTaskGroup(of: Int64?.self) { group in
            group.addTask {
                for await event in events where event.kind == .resume { return event.microsecondsSince1970 }
                return nil
            }
            group.addTask {
                try await Task.sleep(for: .seconds(5))
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let time = first else {
                throw APIError(.timeout, "QEMU did not resume the machine within 5 s.")
            }
            return time
        }
    }

    /// Hands the guest frames, a few at a time: after a long pause there may be more of them than its queues take at once.
    func inject(_ frames: [CapturedFrame]) async {
        for (interface, group) in Dictionary(grouping: frames, by: \.interface) {
            guard let tap = taps[interface] else { continue }
            var rest = group[...]
            while !rest.isEmpty {
                do { try tap.inject(rest.prefix(Self.burst).map { [UInt8]($0.bytes) }) } catch {
                    logger.warning("frames could not be handed to the guest", metadata: ["vm": "\(local.machine.name)", "error": "\(error)"])
                    return
                }
                rest = rest.dropFirst(Self.burst)
                if !rest.isEmpty { try? await Task.sleep(for: .milliseconds(2)) }
            }
        }
    }

    /// A guest's receive buffer holds about a hundred small datagrams.
    private static let burst = 48

    /// From resumption to the guest's first own frame.
    var firstFrameMilliseconds: Double? {
        guard let resumedAt else { return nil }
        return taps.values.compactMap { $0.firstFrameFromGuest(after: resumedAt) }.min().map { Double($0 - resumedAt) / 1_000 }
    }

    /// Whether the last late frame has certainly come.
    var isQuiet: Bool {
        guard let resumedAt else { return false }
        return Int64(Date().timeIntervalSince1970 * 1e6) - resumedAt > 3_000_000
    }

    func close() {
        for tap in taps.values { tap.stop() }
        taps = [:]
    }
}
