import ClusterModel
import Foundation
import Logging
import MigrationRules
import QEMU
import QMP

/// One machine whose QEMU is on this node: its process, its monitor, and what it is doing.
///
/// It knows nothing of ownership: whoever holds it decides whether it may run.
package actor LocalMachine {
    package nonisolated let machine: VirtualMachine
    package nonisolated let process: MachineProcess
    package nonisolated let monitor: QMPClient
    private let logger: Logger
    private(set) var state: VMRunState
    /// Why it is in that state, when there is something to say.
    private(set) var note: String?
    /// Whether the guest's processors are known to stand still; unlike ``state`` it says so also while the machine is moved.
    private(set) var isHalted = false
    private var watcher: Task<Void, Never>?

    private init(machine: VirtualMachine, process: MachineProcess, monitor: QMPClient, state: VMRunState, logger: Logger) {
        self.machine = machine
        self.process = process
        self.monitor = monitor
        self.state = state
        self.logger = logger
    }

    /// Connects to a QEMU that was started or found.
    package static func attach(
        to process: MachineProcess, machine: VirtualMachine, state: VMRunState, logger: Logger
    ) async throws -> LocalMachine {
        let monitor = try await QMPClient.connect(to: process.folder.controlSocket, within: .seconds(5), logger: logger)
        let local = LocalMachine(machine: machine, process: process, monitor: monitor, state: state, logger: logger)
        await local.watch()
        return local
    }

    private func watch() async {
        let events = await monitor.events()
        watcher = Task { [weak self] in
            for await event in events { await self?.note(event) }
        }
    }

    private func note(_ event: QMPEvent) {
        switch event.kind {
        case .stop:
            isHalted = true
            if state == .running { state = .paused }
        case .resume:
            isHalted = false
            if state != .migrating { state = .running }
            note = nil
        case .blockIOError(let failure):
            state = .ioError
            note = "A disk refused a \(failure.operation) (\(failure.reason)); the guest waits for it."
        case .shutdown:
            note = "The guest shut down."
        default: break
        }
    }

    package func set(_ state: VMRunState, note: String? = nil) {
        self.state = state
        self.note = note
    }

    /// Lets the guest run, and waits until it does.
    package func run() async throws {
        try await monitor.execute(.cont)
        isHalted = false
        state = .running
    }

    /// Stops the guest's processors; its memory stays.
    func pause() async throws {
        try await monitor.execute(.stop)
        isHalted = true
        state = .paused
    }

    /// What matters for ownership, asked from QEMU.
    func condition() async throws -> QEMUCondition {
        let status = try await monitor.execute(.queryStatus).status
        let migration = try await monitor.execute(.queryMigrate).status
        return QEMUCondition(status: status, migration: migration)
    }

    /// How far a machine that is received has arrived. Started with `-S`, it is paused once all of it is here (run-state.json, `paused`).
    func arrival() async throws -> ReceivedCopy {
        switch try await monitor.execute(.queryStatus).status {
        case .running, .ioError: return .running
        case .incomingMigration: return .receiving
        case .paused, .preLaunch:
            switch try await monitor.execute(.queryMigrate).status {
            case .completed, .postcopyActive, .postcopyPaused, .postcopyRecover: return .received
            default: return .receiving
            }
        default: return .none
        }
    }

    /// ``condition()`` of a machine on its way to this node, where paused means that all of it is here.
    func arrivingCondition() async throws -> QEMUCondition {
        switch try await arrival() {
        case .receiving: .receiving
        case .received: .received
        case .running: .running
        case .none: try await condition()
        }
    }

    /// Whether a machine that arrived by post-copy still lacks some of its memory.
    func lacksMemory() async throws -> Bool {
        do {
            switch try await monitor.execute(.queryMigrate, within: .seconds(2)).status {
            case .postcopyActive, .postcopyPaused, .postcopyRecover: return true
            default: return false
            }
        } catch let error where error.isSilence {
            if try await waitsForMemoryAndHangs() { return true }
            throw error
        }
    }

    /// Whether the link of its post-copy is broken.
    func waitsForMemory() async throws -> Bool {
        do {
            return try await monitor.execute(.queryMigrate, within: .seconds(2)).status == .postcopyPaused
        } catch let error where error.isSilence {
            if try await waitsForMemoryAndHangs() { return true }
            throw error
        }
    }

    /// Whether QEMU is silent because its main loop itself waits for a page that the broken link was to bring: its devices read and
    /// write the guest's memory. Such a QEMU answers only what is out of band. Of that, no command asks; but `migrate-recover` is taken while
    /// post-copy is paused, and refused at any other time (migration.c, `qmp_migrate_recover`). The port that it opens is on the loopback interface,
    /// asks for the migration's certificates, and is closed by the next `migrate-recover`.
    private func waitsForMemoryAndHangs() async throws -> Bool {
        do throws(QMPError) {
            try await monitor.execute(.migrateRecover(at: "tcp:127.0.0.1:0"), within: .seconds(2))
            return true
        } catch {
            guard case .refused = error else { throw error }
            return false
        }
    }

    /// How fast the guest changes memory, sampled for a second (migration.json, `calc-dirty-rate`).
    func dirtyBytesPerSecond() async throws -> UInt64 {
        try await monitor.execute(.calcDirtyRate(seconds: 1))
        let end = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < end {
            let rate = try await monitor.execute(.queryDirtyRate)
            if rate.status == .measured, let mebibytes = rate.mebibytesPerSecond { return UInt64(max(mebibytes, 0)) << 20 }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw QMPError.timeout(command: "query-dirty-rate", deadline: .seconds(5))
    }

    /// Whether QEMU ended, or the guest shut down, in time.
    func waitForShutdown(within deadline: Duration) async -> Bool {
        let end = ContinuousClock.now + deadline
        while ContinuousClock.now < end {
            if await process.hasEnded(within: .milliseconds(50)) { return true }
            if (try? await condition()) == .shutdown { return true }
            if Task.isCancelled { return false }
        }
        return false
    }

    /// Ends QEMU without asking the guest, and waits until it is gone.
    package func end() async {
        watcher?.cancel()
        // A QEMU that hangs does not answer; then it is killed.
        _ = try? await monitor.quit(within: .milliseconds(500))
        if await !process.hasEnded(within: .seconds(1)) {
            do { try await process.kill(within: .seconds(5)) } catch {
                logger.error("QEMU does not end", metadata: ["vm": "\(machine.name)", "error": "\(error)"])
            }
        }
        await monitor.close()
    }

    func detach() async {
        watcher?.cancel()
        await monitor.close()
    }
}
