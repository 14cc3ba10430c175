import Corosync
import Foundation
import Synchronization

/// One node: its namespaces, held by a sleeping process, its files, and its Corosync.
final class TestNode: Sendable {
    let number: Int
    let folder: String
    let files: CorosyncFiles
    private let holder: Process
    private let corosync = Mutex<Process?>(nil)

    init(_ number: Int, in cluster: TestCluster) async throws {
        self.number = number
        folder = "\(cluster.folder)/n\(number)"
        files = CorosyncFiles(folder: folder + "/etc")
        for part in ["etc/uidgid.d", "lib", "log"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        let space = "\(cluster.id)-n\(number)"
        try await TestCluster.run(["ip", "netns", "add", space])
        try await TestCluster.run(["ip", "-n", space, "link", "set", "lo", "up"])
        for link in 0..<cluster.linkCount {
            let cable = cluster.cable(number, link)
            let end = "eth\(link)"
            try await TestCluster.run(["ip", "link", "add", cable, "type", "veth", "peer", "name", end, "netns", space])
            try await TestCluster.run(["ip", "link", "set", cable, "master", "\(cluster.id)\(link)", "up"])
            try await TestCluster.run(["ip", "-n", space, "addr", "add", "10.98.\(link + 1).\(number)/24", "dev", end])
            try await TestCluster.run(["ip", "-n", space, "link", "set", end, "up"])
        }
        // The paths are the real ones: the pid file's is built into Corosync, and the configuration is to be the one of a host.
        let mounts = """
            mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev/shm && mount --bind \(folder)/etc /etc/corosync &&
            mount --bind \(folder)/lib /var/lib/corosync && mount --bind \(folder)/log /var/log/corosync &&
            touch \(folder)/ready && exec sleep 600
            """
        holder = try Self.launch(
            ["ip", "netns", "exec", space, "unshare", "-m", "--propagation", "private", "sh", "-c", mounts], record: folder + "/holder.pid")
        let deadline = ContinuousClock.now + .seconds(10)
        while !FileManager.default.fileExists(atPath: folder + "/ready") {
            guard holder.isRunning, ContinuousClock.now < deadline else { throw TestFailure("node \(number) got no namespaces") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    var logPath: String { folder + "/log/corosync.log" }
    /// The words before a command that is to run in the node.
    var enter: [String] { ["nsenter", "-t", "\(holder.processIdentifier)", "-m", "-n", "--"] }

    func start() throws {
        let process = try Self.launch(enter + ["corosync", "-f"], record: folder + "/corosync.pid")
        corosync.withLock { $0 = process }
    }

    /// The host loses power, as far as Corosync goes.
    func kill() { signal(SIGKILL) }
    func signal(_ signal: Int32) {
        corosync.withLock { process in
            if let process, process.isRunning { Foundation.kill(process.processIdentifier, signal) }
        }
    }

    func end() async {
        kill()
        let process = corosync.withLock { $0 }
        // What the product's own code started is no child of ours.
        if let daemon = (try? await TestCluster.run(enter + ["cat", "/run/corosync.pid"])).flatMap({
            pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }), (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(daemon)/exe")) == "/usr/sbin/corosync" {
            Foundation.kill(daemon, SIGKILL)
        }
        if holder.isRunning { Foundation.kill(holder.processIdentifier, SIGKILL) }
        for _ in 0..<200 where process?.isRunning == true || holder.isRunning {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private static func launch(_ words: [String], record: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // Each of the words up to the last executes the next one in its own place, so the number is the program's.
        try "\(process.processIdentifier)".write(toFile: record, atomically: false, encoding: .utf8)
        return process
    }
}
