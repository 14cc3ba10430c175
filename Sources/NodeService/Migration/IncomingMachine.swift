import ClusterAPI
import ClusterModel
import Foundation
import Logging
import MigrationRules
import QEMU
import QMP
import SwitchoverFrames

/// A machine on its way to this node: built, waiting for memory, and not running.
package actor IncomingMachine {
    nonisolated let offer: IncomingOffer
    package nonisolated let local: LocalMachine
    private let logger: Logger
    private var ready: IncomingReady?
    private var injectors: [String: FrameInjector] = [:]
    private var resumedAt: Int64?
    private var resumption: Task<Int64, any Error>?
    private var announcement: Task<Void, Never>?
    /// Frames that wait their turn, because a guest takes only so many at once.
    private var backlog: [CapturedFrame] = []
    private var drain: Task<Void, Never>?
    private(set) var failure: String?

    package init(offer: IncomingOffer, local: LocalMachine, logger: Logger) {
        self.offer = offer
        self.local = local
        self.logger = logger
    }

    /// Opens the port that the source sends to.
    package func listen(on address: String, identityFolder: String) async throws -> IncomingReady {
        if let ready { return ready }
        let monitor = local.monitor
        try await MigrationSetup.addCredentials(endpoint: .server, identityFolder: identityFolder, to: monitor)
        try await monitor.execute(.migrateSetCapabilities(MigrationSetup.capabilities(postCopy: offer.postCopy, autoConverge: false)))
        // No announcement before the machine runs: it would draw frames here that QEMU drops.
        try await monitor.execute(
            .migrateSetParameters(
                QMPMigrationParameters(tlsCredentials: MigrationSetup.credentials, announceRounds: 0)))
        try openAdapters()
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
    ///
    /// Nothing may be asked in band here: the main loop of a QEMU that lacks memory may itself wait for a page. It accepts and shakes hands in
    /// the thread of its monitor, but it would never tell which port it was given; so the port is chosen here.
    func listenAgain(on address: String) async throws -> IncomingReady {
        let ready = IncomingReady(address: address, port: try await LinkTest.freePort(on: address))
        try await local.monitor.execute(.migrateRecover(at: "tcp:\(ready.hostAndPort)"), within: .seconds(2))
        return ready
    }

    /// - Throws: When QEMU does not answer. That says nothing of the machine: it may wait for memory that its source still has.
    package var state: IncomingState {
        get async throws {
            if local.process.hasEnded {
                return IncomingState(phase: .failed, note: "QEMU ended: \(local.process.lastWords())")
            }
            switch try await local.arrival() {
            case .none: return IncomingState(phase: .failed)
            case .receiving: return IncomingState(phase: .receiving)
            case .received: return IncomingState(phase: .received)
            case .running: return IncomingState(phase: .running)
            }
        }
    }

    /// Watches the guest's adapters; also those of a machine that was found after a restart of this service.
    private func openAdapters() throws {
        guard injectors.isEmpty else { return }
        let made = try offer.machine.definition.onEveryAdapter(
            { try FrameInjector(interface: $0, mac: $1) }, undo: { $0.stop() })
        for (interface, injector) in made { injectors[interface] = injector }
    }

    /// Runs it and hands it the frames it missed.
    ///
    /// Its adapters are plugged in only now. What is handed to them before the machine runs stays in order before what the network brings. After a long
    /// pause there are more than a guest takes at once; the rest follows a few at a time.
    /// - Returns: From the order to QEMU's RESUME.
    package func run(frames: [CapturedFrame]) async throws -> Duration {
        let began = ContinuousClock.now
        let isFirst = resumption == nil
        // The source's order and the record on the disk may say so at the same time: it is run once.
        let task = resumption ?? Task { try await self.resume(with: frames.prefix(Self.atOnce)) }
        resumption = task
        do { resumedAt = try await task.value } catch {
            resumption = nil
            throw error
        }
        let took = ContinuousClock.now - began
        if isFirst { announce() }
        // Not waited for either: after a pause of ten seconds under traffic these take a second.
        enqueue(isFirst ? frames.dropFirst(Self.atOnce) : frames[...])
        return took
    }

    /// Hands the guest frames that came after it was resumed, behind those that still wait.
    func deliver(_ frames: [CapturedFrame]) {
        if backlog.isEmpty { inject(frames) } else { enqueue(frames[...]) }
    }

    private func enqueue(_ frames: ArraySlice<CapturedFrame>) {
        backlog += frames
        guard !backlog.isEmpty, drain == nil else { return }
        drain = Task { [weak self] in
            repeat {
                do { try await Task.sleep(for: .milliseconds(4)) } catch { return }
            } while await self?.injectBurst() == true
        }
    }

    /// - Returns: Whether more frames wait.
    private func injectBurst() -> Bool {
        let burst = backlog.prefix(Self.burst)
        backlog.removeFirst(burst.count)
        inject(burst)
        if backlog.isEmpty { drain = nil }
        return !backlog.isEmpty
    }

    /// Tells the network where the guest is now. Not waited for: a QEMU that has just resumed its guest takes 7 to 33 ms for it (measured), and
    /// the source takes the guest for stopped, and keeps late frames, until it has its answer. The guest's own frames tell the same.
    private func announce() {
        announcement = Task { [local, logger] in
            do { try await local.monitor.execute(.announceSelf()) } catch {
                if Task.isCancelled { return }
                logger.warning("QEMU did not announce the guest", metadata: ["vm": "\(local.machine.name)", "error": "\(error)"])
            }
        }
    }

    private func resume(with frames: some Collection<CapturedFrame>) async throws -> Int64 {
        try openAdapters()
        let definition = offer.machine.definition
        for (index, interface) in definition.interfaces.enumerated() {
            try injectors[interface.name]?.arm()
            try await definition.tap(index).plug(into: interface.bridge)
        }
        let events = await local.monitor.events()
        inject(frames)
        try await local.run()
        return try await resumeTime(in: events)
    }

    /// A guest's socket holds about a hundred small datagrams, and a live migration brings fewer.
    private static let atOnce = 64
    private static let burst = 16

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

    private func inject(_ frames: some Collection<CapturedFrame>) {
        for (interface, group) in Dictionary(grouping: frames, by: \.interface) {
            do {
                let done = try injectors[interface]?.inject(group.map { [UInt8]($0.bytes) })
                if let done, done.refused > 0 {
                    logger.warning(
                        "frames that are not for the guest were refused",
                        metadata: ["vm": "\(local.machine.name)", "frames": "\(done.refused)"])
                }
            } catch {
                logger.warning("frames could not be handed to the guest", metadata: ["vm": "\(local.machine.name)", "error": "\(error)"])
            }
        }
    }

    /// From resumption to the guest's first own frame.
    var firstFrameMilliseconds: Double? {
        guard let resumedAt else { return nil }
        return injectors.values.compactMap { $0.firstFrameFromGuest(after: resumedAt) }.min().map { Double($0 - resumedAt) / 1_000 }
    }

    /// Whether the last late frame has certainly come.
    var isQuiet: Bool {
        guard let resumedAt, backlog.isEmpty else { return false }
        return Int64(Date().timeIntervalSince1970 * 1e6) - resumedAt > 3_000_000
    }

    package func close() {
        announcement?.cancel()
        drain?.cancel()
        for injector in injectors.values { injector.stop() }
        injectors = [:]
    }
}
