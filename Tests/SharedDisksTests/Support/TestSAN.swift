import Foundation
import ISCSI
import SCSI
import SharedDisks
import Subprocess
import Synchronization
import Testing

/// A real iSCSI target in a network namespace of its own: tgtd with CHAP and an access list, its files, and a link that can be cut.
///
/// Names, addresses and the control port carry this process's number, so that test runs do not meet. ``with(_:body:)`` removes
/// everything whatever happens in the body; what a killed run left is removed by the next one.
final class TestSAN: Sendable {
    struct Disk: Sendable {
        var mebibytes: Int
        var blockByteCount = 512
        var isThin = false
        var serial: String
        init(mebibytes: Int = 64, blockByteCount: Int = 512, isThin: Bool = false, serial: String) {
            self.mebibytes = mebibytes
            self.blockByteCount = blockByteCount
            self.isThin = isThin
            self.serial = serial
        }
    }
    struct Failure: Error, CustomStringConvertible { var description: String }

    static let user = "apus"
    static let secret = "lab-secret-123456"
    static let targetName = "iqn.2025-01.io.apus:test.san"
    static let initiator = "iqn.2025-01.io.apus:node-a"
    static let otherInitiator = "iqn.2025-01.io.apus:node-b"

    private static let count = Atomic(0)
    let namespace: String
    let directory: String
    private let link: String
    private let address: String
    private let control: Int
    private let daemon: Mutex<pid_t?> = Mutex(nil)
    private let disks: Mutex<[Disk]> = Mutex([])

    private let pingSeconds: Int

    private init(process: Int = Int(getpid()), number: Int = TestSAN.count.add(1, ordering: .relaxed).newValue, pingSeconds: Int = 5) {
        self.pingSeconds = pingSeconds
        namespace = "disks-\(process)-\(number)"
        link = "dk\(process % 1_000_000)n\(number)"
        // A /30 inside 10.96.0.0/11, by process and number.
        let subnet = (process * 64 + number) % (1 << 19)
        address = "10.\(96 + subnet >> 14).\(subnet >> 6 & 0xff).\((subnet & 0x3f) << 2)"
        control = 2_000 + (process * 64 + number) % 30_000
        directory = NSTemporaryDirectory() + namespace
    }

    /// Runs `body` with a target that offers these disks as LUN 1, 2...
    ///
    /// - Parameter pingSeconds: How often the target asks each session for a sign of life.
    static func with<Value>(_ disks: [Disk], pingSeconds: Int = 5, body: (TestSAN) async throws -> Value) async throws -> Value {
        try await removeLeftovers()
        let san = TestSAN(pingSeconds: pingSeconds)
        do {
            try await san.start(disks)
            let value = try await body(san)
            try await san.stop()
            return value
        } catch {
            try await san.stop()
            throw error
        }
    }

    // MARK: What tests do with it

    var portal: String { "\(host(1)):3260" }
    func target(initiator: String = TestSAN.initiator, secret: String = TestSAN.secret) -> ISCSITarget {
        ISCSITarget(
            portal: portal, name: Self.targetName, initiator: initiator,
            credentials: ISCSITarget.Credentials(user: Self.user, secret: secret))
    }
    func file(_ lun: Int) -> String { "\(directory)/lun\(lun).img" }

    /// Lets the link swallow everything, as a dead switch does.
    func cutLink() async throws { try await Self.run("ip", "-n", namespace, "link", "set", "san", "down") }
    func restoreLink() async throws { try await Self.run("ip", "-n", namespace, "link", "set", "san", "up") }

    /// Stops the daemon in its tracks: what is sent to it stays in its socket until ``thaw()``.
    func freeze() throws { try signal(SIGSTOP) }
    func thaw() throws { try signal(SIGCONT) }

    private func signal(_ number: Int32) throws {
        guard let pid = daemon.withLock({ $0 }), kill(pid, number) == 0 else { throw Failure(description: "tgtd is gone") }
    }

    @discardableResult
    func administer(_ arguments: String...) async throws -> String {
        try await Self.run(["tgtadm", "-C", "\(control)", "--lld", "iscsi"] + arguments)
    }

    // MARK: Up and down

    private func start(_ disks: [Disk]) async throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try await Self.run("ip", "netns", "add", namespace)
        try await Self.run("ip", "link", "add", link, "type", "veth", "peer", "name", "san", "netns", namespace)
        try await Self.run("ip", "address", "add", "\(host(2))/30", "dev", link)
        try await Self.run("ip", "link", "set", link, "up")
        try await Self.run("ip", "-n", namespace, "address", "add", "\(host(1))/30", "dev", "san")
        for device in ["san", "lo"] { try await Self.run("ip", "-n", namespace, "link", "set", device, "up") }
        for (index, disk) in disks.enumerated() {
            guard FileManager.default.createFile(atPath: file(index + 1), contents: nil),
                truncate(file(index + 1), off_t(disk.mebibytes) << 20) == 0
            else { throw Failure(description: "cannot size \(file(index + 1))") }
        }
        self.disks.withLock { $0 = disks }
        try await serve(disks)
    }

    /// The target dies and comes back: its disks are what they were, its sessions, registrations and reservations are gone.
    func restartTarget() async throws {
        if let pid = daemon.withLock({ $0.take() }) {
            kill(pid, SIGKILL)
            // The address is free again when the process is gone.
            for _ in 0..<250 where kill(pid, 0) == 0 { try await Task.sleep(for: .milliseconds(20)) }
        }
        for end in ["", ".lock"] { try? FileManager.default.removeItem(atPath: "/var/run/tgtd/socket.\(control)\(end)") }
        try await serve(disks.withLock { $0 })
    }

    private func serve(_ disks: [Disk]) async throws {
        try startDaemon()
        try await waitForDaemon()
        try await administer("--mode", "target", "--op", "new", "--tid", "1", "-T", Self.targetName)
        for (index, disk) in disks.enumerated() {
            let lun = index + 1
            try await administer(
                "--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "\(lun)", "-b", file(lun), "--bstype", "rdwr",
                "--blocksize", "\(disk.blockByteCount)")
            try await administer(
                "--mode", "logicalunit", "--op", "update", "--tid", "1", "--lun", "\(lun)", "--params",
                "vendor_id=APUS,product_id=WITNESS,product_rev=0001,scsi_id=APUSLUN\(disk.serial),scsi_sn=\(disk.serial)"
                    + (disk.isThin ? ",thin_provisioning=1" : ""))
        }
        try await administer("--mode", "account", "--op", "new", "--user", Self.user, "--password", Self.secret)
        try await administer("--mode", "account", "--op", "bind", "--tid", "1", "--user", Self.user)
        for name in [Self.initiator, Self.otherInitiator] {
            try await administer("--mode", "target", "--op", "bind", "--tid", "1", "-Q", name)
        }
    }

    private func startDaemon() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // Everything after --iscsi is one list that begins with the portal.
        process.arguments = [
            "ip", "netns", "exec", namespace, "tgtd", "-f", "-C", "\(control)", "--iscsi",
            "portal=\(portal),nop_interval=\(pingSeconds),nop_count=3",
        ]
        guard FileManager.default.createFile(atPath: directory + "/tgtd.log", contents: nil) else {
            throw Failure(description: "cannot write in \(directory)")
        }
        let log = FileHandle(forWritingAtPath: directory + "/tgtd.log")
        process.standardOutput = log
        process.standardError = log
        try process.run()
        daemon.withLock { $0 = process.processIdentifier }
        try "\(process.processIdentifier)".write(toFile: directory + "/tgtd.pid", atomically: true, encoding: .utf8)
    }

    private func waitForDaemon() async throws {
        for _ in 0..<250 {
            if (try? await administer("--mode", "sys", "--op", "show")) != nil { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        let log = (try? String(contentsOfFile: directory + "/tgtd.log", encoding: .utf8)) ?? ""
        throw Failure(description: "tgtd did not come up: \(log.suffix(500))")
    }

    private func stop() async throws {
        // tgtd ignores SIGTERM.
        if let pid = daemon.withLock({ $0.take() }) { kill(pid, SIGKILL) }
        try await Self.remove(namespace: namespace, link: link, directory: directory, control: control)
    }

    private static func remove(namespace: String, link: String, directory: String, control: Int) async throws {
        // The other end goes with the namespace, and this end with the other.
        let removed: Result<Void, any Error>
        do {
            _ = try await run("ip", "netns", "delete", namespace)
            removed = .success(())
        } catch { removed = .failure(error) }
        _ = try? await run("ip", "link", "delete", link)
        try? FileManager.default.removeItem(atPath: directory)
        for end in ["", ".lock"] { try? FileManager.default.removeItem(atPath: "/var/run/tgtd/socket.\(control)\(end)") }
        try removed.get()
    }

    /// What test processes left that no longer live. Their directories tell of it.
    private static func removeLeftovers() async throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: NSTemporaryDirectory()) {
            let parts = name.split(separator: "-")
            guard parts.count == 3, parts[0] == "disks", let process = pid_t(parts[1]), let number = Int(parts[2]), kill(process, 0) != 0
            else { continue }
            let san = TestSAN(process: Int(process), number: number)
            if let text = try? String(contentsOfFile: san.directory + "/tgtd.pid", encoding: .utf8), let pid = pid_t(text),
                let command = try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8), command.contains("portal=\(san.portal)")
            {
                kill(pid, SIGKILL)
            }
            // Fails when another run was quicker, or when its namespace had a name only in a mount namespace that is gone as well.
            try? await remove(namespace: san.namespace, link: san.link, directory: san.directory, control: san.control)
        }
    }

    private func host(_ number: Int) -> String {
        let parts = address.split(separator: ".").compactMap { Int($0) }
        return "\(parts[0]).\(parts[1]).\(parts[2]).\(parts[3] + number)"
    }

    @discardableResult
    static func run(_ arguments: String...) async throws -> String { try await run(arguments) }

    /// - Throws: ``Failure`` with what the command wrote when it exits with anything but 0.
    static func run(_ arguments: [String]) async throws -> String {
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments(["timeout", "20"] + arguments), output: .string(limit: 1 << 20),
            error: .string(limit: 1 << 16))
        guard case .exited(0) = result.terminationStatus else {
            throw Failure(description: "\(arguments.joined(separator: " ")): \(result.standardError) \(result.standardOutput)")
        }
        return result.standardOutput
    }
}
