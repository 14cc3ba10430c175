import ClusterModel
import Foundation
import Lab
import Logging
import QMP
import Synchronization
import Testing

/// Watches every QEMU of a machine, on both nodes, and knows when each of them let the guest run, to the microsecond.
///
/// It reads STOP and RESUME from QEMU's second monitor, with the time QEMU gives them; all nodes of the lab have the same clock.
final class GuestWatch: Sendable {
    private struct Run: Hashable, Sendable {
        var node: NodeName
        var process: Int32
        var began: Int64
        /// nil while it runs.
        var ended: Int64?
    }

    private let machine: GuestMachine
    private let runs = Mutex<[Run]>([])
    private let watched = Mutex<Set<Int32>>([])

    private init(_ machine: GuestMachine) { self.machine = machine }

    /// Runs a story under watch. Fails the test when two QEMUs ever let the guest run at the same time.
    static func during(_ machine: GuestMachine, _ story: (GuestWatch) async throws -> Void) async throws {
        let watch = GuestWatch(machine)
        let task = Task { await watch.watchAll() }
        defer { task.cancel() }
        // Its runs are known from here on.
        let isSeen = try await eventually(within: 10, every: 10) { !watch.runs.withLock(\.isEmpty) }
        try #require(isSeen, "No QEMU was seen running.")
        try await story(watch)
        let all = watch.runs.withLock { $0 }.sorted { $0.began < $1.began }
        for (first, second) in zip(all, all.dropFirst()) where first.process != second.process {
            #expect((first.ended ?? .max) <= second.began, "Two QEMUs ran the machine at the same time: \(all)")
        }
    }

    /// Whether a QEMU on the node lets the guest run at this moment.
    func isRunning(on node: NodeName) -> Bool { runs.withLock { $0.contains { $0.node == node && $0.ended == nil } } }
    var isRunning: Bool { runs.withLock { $0.contains { $0.ended == nil } } }

    private func watchAll() async {
        await withTaskGroup(of: Void.self) { group in
            while !Task.isCancelled {
                for node in ClusterStage.nodes {
                    for process in (try? machine.processes(on: node)) ?? [] {
                        guard isReady(process, on: node), watched.withLock({ $0.insert(process).inserted }) else { continue }
                        group.addTask { await self.watch(process, on: node) }
                    }
                }
                // Ends early when cancelled, which the loop's condition sees.
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// Whether the node service has done its own greeting on the second monitor, which serves one at a time: the files with secrets
    /// are gone then.
    private func isReady(_ process: Int32, on node: NodeName) -> Bool {
        guard let folder = try? machine.folder(on: node), let files = try? FileManager.default.contentsOfDirectory(atPath: folder),
            let record = FileManager.default.contents(atPath: folder + "/pid")
        else { return false }
        return files.contains("qmp-events.sock") && !files.contains { $0.contains("secret") }
            && String(decoding: record, as: UTF8.self).hasPrefix("\(process) ")
    }

    private func watch(_ process: Int32, on node: NodeName) async {
        var logger = Logger(label: "watch")
        logger.logLevel = .critical
        while !Task.isCancelled {
            do {
                let monitor = try await QMPClient.connect(
                    to: machine.folder(on: node) + "/qmp-events.sock", within: .seconds(2), logger: logger)
                let events = await monitor.events()
                if try await monitor.execute(.queryStatus).status == .running { begin(process, on: node, at: Self.now) }
                for await event in events {
                    switch event.kind {
                    case .resume: begin(process, on: node, at: event.microsecondsSince1970 ?? Self.now)
                    case .stop, .shutdown: end(process, at: event.microsecondsSince1970 ?? Self.now)
                    default: break
                    }
                }
                await monitor.close()
                if Task.isCancelled { return }
                return end(process, at: Self.now)
            } catch {
                // It may be stopped by a signal just now; an ended one is no process any more.
                guard kill(process, 0) == 0 else { return end(process, at: Self.now) }
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func begin(_ process: Int32, on node: NodeName, at time: Int64) {
        runs.withLock { runs in
            guard !runs.contains(where: { $0.process == process && $0.ended == nil }) else { return }
            runs.append(Run(node: node, process: process, began: time))
        }
    }
    private func end(_ process: Int32, at time: Int64) {
        runs.withLock { runs in
            guard let index = runs.firstIndex(where: { $0.process == process && $0.ended == nil }) else { return }
            runs[index].ended = time
        }
    }
    private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1e6) }
}
