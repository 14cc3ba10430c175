import CProcess
public import Foundation
import Glibc

/// The QEMU of one machine, started by this node service or by one before it: it outlives us.
///
/// No child of ours, so its exit code is unknown; that it ended, and its last words, are known.
public struct MachineProcess: Sendable {
    public let folder: MachineFolder
    private let handle: ProcessHandle

    public var processID: Int32 { handle.identity.processID }

    /// Starts QEMU as `user` and returns when it has built the machine: disks are open, both monitors answer, no guest code has run.
    ///
    /// The folder is made anew. Files with secrets are gone when this returns, whether it succeeds or not.
    ///
    /// - Parameter deadline: For QEMU to become ready; a disk that does not answer shows here.
    /// - Throws: ``MachineProcessError``; then no process is left.
    public static func start(
        _ commandLine: QEMUCommandLine, folder: MachineFolder, user: MachineUser, program: String = "/usr/bin/qemu-system-x86_64",
        deadline: Duration = .seconds(20)
    ) async throws(MachineProcessError) -> MachineProcess {
        try await onOwnThread("start \(folder.path)") { () throws(MachineProcessError) in
            try startBlocking(commandLine, folder: folder, user: user, program: program, deadline: deadline)
        }
    }

    /// Finds the process of a machine again after a restart of the node service.
    ///
    /// - Returns: nil unless the process of the folder's record lives, is the one that wrote the record, and was started for this
    ///   machine: a process that only got the same number is never taken for it.
    public static func adopt(folder: MachineFolder, machine: UUID) -> MachineProcess? {
        guard let identity = recorded(in: folder), ProcessIdentity.current(identity.processID) == identity else { return nil }
        let arguments = ProcessIdentity.arguments(of: identity.processID)
        guard let option = arguments.firstIndex(of: "-uuid"), arguments.indices.contains(option + 1),
            UUID(uuidString: arguments[option + 1]) == machine, let handle = ProcessHandle(identity)
        else { return nil }
        return MachineProcess(folder: folder, handle: handle)
    }

    public var hasEnded: Bool { handle.hasEnded }

    /// Returns when the process has ended, or when the task is cancelled.
    public func waitForEnd() async { await handle.waitForEnd() }

    /// Waits until the process has ended, at most so long.
    ///
    /// - Returns: whether it has ended.
    public func hasEnded(within limit: Duration) async -> Bool {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await waitForEnd() }
            // Ends early only when it is cancelled, and then there is nothing left to wait for.
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
        return hasEnded
    }

    /// Ends the process at once and waits until it is gone: afterwards it can write nothing more.
    ///
    /// - Throws: ``MachineProcessError/unkillable(processID:seconds:)``.
    public func kill(within limit: Duration = .seconds(10)) async throws(MachineProcessError) {
        handle.kill()
        guard await hasEnded(within: limit) else { throw .unkillable(processID: processID, seconds: limit / .seconds(1)) }
    }

    /// What QEMU said last; for the message about its end. Reads a file.
    public func lastWords() -> String {
        // `qemu-system-x86_64: ` stands before every message.
        QEMU.lastWords(in: MachineFolder.tail(of: folder.log), program: "qemu-system-x86_64")
    }
}

extension MachineProcess {
    private static func recorded(in folder: MachineFolder) -> ProcessIdentity? {
        MachineFolder.tail(of: folder.processRecord, byteCount: 64).flatMap(ProcessIdentity.init(record:))
    }

    /// As ``start(_:folder:user:program:deadline:)``, on the calling thread.
    static func startBlocking(
        _ commandLine: QEMUCommandLine, folder: MachineFolder, user: MachineUser, program: String, deadline: Duration
    ) throws(MachineProcessError) -> MachineProcess {
        if let identity = recorded(in: folder), ProcessIdentity.current(identity.processID) == identity {
            throw .alreadyRunning(folder: folder.path, processID: identity.processID)
        }
        try folder.create(for: user)
        do throws(MachineProcessError) {
            for (name, secret) in commandLine.secrets { try folder.write(secret: secret, to: name, for: user) }
            let identity = try spawn(program, commandLine.arguments, folder: folder, user: user)
            let process = try waitUntilReady(identity, program: program, folder: folder, deadline: deadline)
            try removeSecrets(of: commandLine, in: folder)
            return process
        } catch {
            try removeSecrets(of: commandLine, in: folder)
            throw error
        }
    }

    private static func removeSecrets(of commandLine: QEMUCommandLine, in folder: MachineFolder) throws(MachineProcessError) {
        for name in commandLine.secrets.keys { try folder.remove(file: name) }
    }

    private static func waitUntilReady(
        _ identity: ProcessIdentity, program: String, folder: MachineFolder, deadline: Duration
    ) throws(MachineProcessError) -> MachineProcess {
        func words() -> String { QEMU.lastWords(in: MachineFolder.tail(of: folder.log), program: program) }
        guard let handle = ProcessHandle(identity) else { throw .endedAtStart(program: program, words: words()) }
        let end = ContinuousClock.now + deadline
        while ContinuousClock.now < end {
            // Two milliseconds pass here, or less when the process ends.
            if handle.waitBlocking(milliseconds: 2) { throw .endedAtStart(program: program, words: words()) }
            if let monitor = MonitorHandshake(socket: folder.eventSocket) {
                switch monitor.waitForAnswer(of: handle, until: end) {
                case .answered: return MachineProcess(folder: folder, handle: handle)
                case .closed: continue
                case .deadline: break
                }
            }
        }
        handle.kill()
        guard handle.waitBlocking(milliseconds: 5_000) else { throw .unkillable(processID: identity.processID, seconds: 5) }
        throw .notReady(program: program, seconds: deadline / .seconds(1), words: words())
    }

    private static func spawn(
        _ program: String, _ arguments: [String], folder: MachineFolder, user: MachineUser
    ) throws(MachineProcessError) -> ProcessIdentity {
        let log = try folder.createForRoot(folder.log)
        defer { close(log) }
        let record = try folder.createForRoot(folder.processRecord)
        defer { close(record) }
        // Nothing of the node service's own environment reaches the machine.
        let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LC_ALL=C"]
        let result: (code: Int32, cprocess_spawn_result) = withCStrings([program] + arguments) { arguments in
            withCStrings(environment) { environment in
                user.groups.withUnsafeBufferPointer { groups in
                    var request = cprocess_spawn_request(
                        path: arguments[0], arguments: arguments, environment: environment, user: user.userID, group: user.groupID,
                        groups: groups.baseAddress, group_count: groups.count, log_descriptor: log, record_descriptor: record,
                        deadline_milliseconds: 10_000)
                    var result = cprocess_spawn_result()
                    let code = cprocess_spawn_detached(&request, &result)
                    return (code, result)
                }
            }
        }
        guard result.code == 0 else {
            throw .spawn(program: program, stage: stageName(result.1.stage), errno: result.1.error)
        }
        return ProcessIdentity(processID: result.1.pid, startTicks: result.1.start_ticks)
    }

    private static func stageName(_ stage: Int32) -> String {
        switch cprocess_stage(UInt32(bitPattern: stage)) {
        case CPROCESS_STAGE_PIPE: "making a pipe"
        case CPROCESS_STAGE_FORK: "fork"
        case CPROCESS_STAGE_IDENTITY: "reading /proc/self/stat"
        case CPROCESS_STAGE_RECORD: "writing the process record"
        case CPROCESS_STAGE_DESCRIPTORS: "setting up its files"
        case CPROCESS_STAGE_GROUPS: "taking on the machine user's groups"
        case CPROCESS_STAGE_USER: "becoming the machine user"
        case CPROCESS_STAGE_NO_NEW_PRIVILEGES: "giving up privileges"
        case CPROCESS_STAGE_EXECUTE: "running the program"
        default: "waiting for it to run"
        }
    }
}

/// C strings for the time of a call, ended by a null pointer as execve(2) wants them.
private func withCStrings<Result>(_ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result) -> Result {
    var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("\(texts.count) texts and a null make no empty array") }
        return body(base)
    }
}
