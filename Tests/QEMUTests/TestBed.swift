import ClusterModel
import Foundation
import Glibc
import Subprocess
import Testing

@testable import QEMU

/// A folder of the test's own, the machine user, and small helpers; `close()` leaves nothing behind.
struct TestBed {
    let folder: String
    let user: MachineUser

    /// - Throws: when not run as root: these tests start real machines as another user.
    init() async throws {
        try #require(geteuid() == 0, "run these tests as root: they start QEMU as an unprivileged user")
        if getpwnam("apus-qemu") == nil {
            let added = try await run(
                .name("useradd"), arguments: ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "apus-qemu"],
                output: .discarded, error: .string(limit: 4_096))
            try #require(getpwnam("apus-qemu") != nil, "useradd: \(added.standardError)")
        }
        user = try MachineUser(named: "apus-qemu")
        var template = Array("/tmp/machines-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(folder, 0o755)
    }

    func machineFolder(_ name: String) -> MachineFolder { MachineFolder(path: folder + "/machines/" + name) }

    func close() { try? FileManager.default.removeItem(atPath: folder) }

    /// Starts the sample machine without disks, ends it again whatever `body` does.
    func withMachine<Result>(
        _ definition: VMDefinition = Sample.definition(disks: 0), _ body: (MachineProcess) async throws -> Result
    ) async throws -> Result {
        let machineFolder = machineFolder(definition.name.rawValue)
        let commandLine = try QEMUCommandLine(Sample.machine(definition), on: Sample.settings(for: definition, folder: machineFolder.path))
        let process = try await MachineProcess.start(commandLine, folder: machineFolder, user: user)
        do {
            let result = try await body(process)
            try await process.kill()
            return result
        } catch {
            try await process.kill()
            throw error
        }
    }
}

extension QEMUCommandLine {
    /// Arguments for a program that is no QEMU.
    static func plain(_ arguments: [String]) -> QEMUCommandLine {
        let definition = Sample.definition(disks: 0)
        guard var commandLine = try? Sample.commandLine(definition) else { preconditionFailure("the sample has all it needs") }
        commandLine.arguments = arguments
        return commandLine
    }
}

/// A few words of QMP, blocking, for looking at machines in tests.
struct TestMonitor: ~Copyable {
    private let file: FileHandle

    init(_ path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(result == 0, "\(path): \(systemMessage(errno))")
        _ = try execute("qmp_capabilities")
    }

    /// - Returns: the `return` member.
    func execute(_ command: String, _ arguments: [String: Any] = [:]) throws -> Any {
        let request = try JSONSerialization.data(withJSONObject: ["execute": command, "arguments": arguments, "id": command])
        try file.write(contentsOf: request)
        var received = Data()
        while true {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(file.fileDescriptor, &chunk, chunk.count)
            try #require(count > 0, "no answer to \(command): \(count == 0 ? "closed" : systemMessage(errno))")
            received += chunk.prefix(count)
            for line in received.split(separator: UInt8(ascii: "\n")) {
                guard let answer = try? JSONSerialization.jsonObject(with: line) as? [String: Any], answer["id"] as? String == command
                else { continue }
                return try #require(answer["return"], "\(answer)")
            }
        }
    }

    func human(_ line: String) throws -> String {
        try #require(try execute("human-monitor-command", ["command-line": line]) as? String)
    }
}

/// Runs work on a thread that has network and mount namespaces of its own, in which /dev/net/tun has the permissions it has on a
/// production host. They disappear with the last process in them.
func inOwnNamespaces<Success: Sendable>(_ bed: TestBed, _ work: @escaping @Sendable () throws -> Success) async throws -> Success {
    try await onOwnThread("namespaces") { () throws(any Error) in
        // unshare(2), which the Swift overlay of glibc does not show; CLONE_NEWNET | CLONE_NEWNS (linux/sched.h).
        let symbol = try #require(dlsym(nil, "unshare"))
        let unshare = unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)
        try #require(unshare(0x4000_0000 | 0x0002_0000) == 0, "unshare: \(systemMessage(errno))")
        try #require(mount("none", "/", nil, UInt(MS_REC | MS_PRIVATE), nil) == 0, "mount: \(systemMessage(errno))")
        let node = bed.folder + "/tun-\(UUID().uuidString)"
        try #require(mknod(node, S_IFCHR | 0o666, 10 << 8 | 200) == 0, "mknod: \(systemMessage(errno))")
        try #require(chmod(node, 0o666) == 0)
        try #require(mount(node, "/dev/net/tun", nil, UInt(MS_BIND), nil) == 0, "mount tun: \(systemMessage(errno))")
        return try work()
    }
}

/// A program started from this thread, so in its namespaces. (Foundation's `Process` passes descriptors on to whatever starts at the
/// same time on another thread, and then waits for that too.)
struct SpawnedProgram {
    let processID: pid_t

    init(_ program: String, _ arguments: [String], output: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var pointers: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var processID: pid_t = 0
        let error = posix_spawn(&processID, program, &actions, nil, &pointers, environ)
        try #require(error == 0, "\(program): \(systemMessage(error))")
        self.processID = processID
    }

    /// - Returns: the wait status.
    @discardableResult
    func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(processID, &status, 0) < 0, errno == EINTR {}
        return status
    }
}

/// Runs a program from this thread and waits for its end.
func runHere(_ program: String, _ arguments: String...) throws -> String {
    let output = "/tmp/machines-test-output-\(UUID().uuidString)"
    defer { unlink(output) }
    let status = try SpawnedProgram(program, arguments, output: output).wait()
    let text = try String(contentsOfFile: output, encoding: .utf8)
    try #require(status == 0, "\(program) \(arguments.joined(separator: " ")): \(text)")
    return text
}
