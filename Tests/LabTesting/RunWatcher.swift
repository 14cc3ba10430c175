import ClusterModel
import Foundation
import Lab
import Logging
import QMP
import Synchronization

/// Watches every QEMU of a machine, on all nodes, and knows when each of them let the guest run, to the microsecond.
///
/// It reads STOP and RESUME from QEMU's second monitor, with the time QEMU gives them; all nodes of the lab have the same clock.
public final class RunWatcher: Sendable {
    public struct Run: Hashable, Sendable, CustomStringConvertible {
        public var node: NodeName
        public var process: Int32
        /// In microseconds since 1970, like ``ended``.
        public var began: Int64
        /// nil while it runs.
        public var ended: Int64?
        public var description: String { "\(node)/\(process) \(began)...\(ended.map { "\($0)" } ?? "")" }
    }

    private let machine: UUID
    private let name: VMName
    private let nodes: [LabNode]
    private let known = Mutex<[Run]>([])
    private let watched = Mutex<Set<Int32>>([])

    private init(_ machine: UUID, _ name: VMName, _ nodes: [LabNode]) {
        self.machine = machine
        self.name = name
        self.nodes = nodes
    }

    /// Runs something under watch. It begins when a run was seen, or after some seconds without one.
    public static func during<Result>(
        _ machine: UUID, named name: VMName, on nodes: [LabNode], _ body: (RunWatcher) async throws -> Result
    ) async throws -> (result: Result, watcher: RunWatcher) {
        let watcher = RunWatcher(machine, name, nodes)
        let watch = Task { await watcher.watch() }
        defer { watch.cancel() }
        _ = try await eventually(within: 10, every: 10) { !watcher.runs.isEmpty }
        return (try await body(watcher), watcher)
    }

    /// All runs so far, in the order in which they began.
    public var runs: [Run] { known.withLock { $0 }.sorted { $0.began < $1.began } }

    /// Whether a QEMU on the node lets the guest run at this moment.
    public func isRunning(on node: NodeName) -> Bool { runs.contains { $0.node == node && $0.ended == nil } }
    public var isRunning: Bool { runs.contains { $0.ended == nil } }

    /// What is wrong if two QEMUs ever let the guest run at the same time.
    public var overlap: String? {
        let all = runs
        for (first, second) in zip(all, all.dropFirst()) where first.process != second.process && (first.ended ?? .max) > second.began {
            return "Two QEMUs ran the machine at the same time: \(first) and \(second) of \(all)"
        }
        return nil
    }

    private func watch() async {
        await withTaskGroup(of: Void.self) { group in
            while !Task.isCancelled {
                for node in nodes {
                    for process in node.processes(of: machine) {
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
    private func isReady(_ process: Int32, on node: LabNode) -> Bool {
        let folder = node.folder(of: name)
        guard let files = try? FileManager.default.contentsOfDirectory(atPath: folder),
            let record = FileManager.default.contents(atPath: folder + "/pid")
        else { return false }
        return files.contains("qmp-events.sock") && !files.contains { $0.contains("secret") }
            && String(decoding: record, as: UTF8.self).hasPrefix("\(process) ")
    }

    private func watch(_ process: Int32, on node: LabNode) async {
        var logger = Logger(label: "watcher")
        logger.logLevel = .critical
        while !Task.isCancelled {
            do {
                let monitor = try await QMPClient.connect(
                    to: node.folder(of: name) + "/qmp-events.sock", within: .seconds(2), logger: logger)
                let events = await monitor.events()
                if try await monitor.execute(.queryStatus).status == .running { begin(process, on: node.name, at: Self.now) }
                for await event in events {
                    switch event.kind {
                    case .resume: begin(process, on: node.name, at: event.microsecondsSince1970 ?? Self.now)
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
        known.withLock { runs in
            guard !runs.contains(where: { $0.process == process && $0.ended == nil }) else { return }
            runs.append(Run(node: node, process: process, began: time))
        }
    }

    private func end(_ process: Int32, at time: Int64) {
        known.withLock { runs in
            guard let index = runs.firstIndex(where: { $0.process == process && $0.ended == nil }) else { return }
            runs[index].ended = time
        }
    }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1e6) }
}
