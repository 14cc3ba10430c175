import Foundation
import Glibc
import Subprocess

/// Starts and stops Corosync on this host.
///
/// Corosync outlives the service: a restart of the service must not change the cluster's membership.
public struct CorosyncProcess: Hashable, Sendable {
    public enum Manager: String, Hashable, Sendable, Codable {
        /// The unit `corosync` of Debian's package.
        case systemd
        /// Corosync makes itself a daemon: hosts without systemd, and the lab.
        case direct

        /// As sd_booted(3) finds it out.
        public static func ofThisHost() -> Manager { access("/run/systemd/system", F_OK) == 0 ? .systemd : .direct }
    }
    public enum State: Hashable, Sendable, CustomStringConvertible {
        case stopped
        case running(processID: Int32)
        public var description: String {
            switch self {
            case .stopped: "stopped"
            case .running(let processID): "running as process \(processID)"
            }
        }
    }

    public var manager: Manager
    public var program: String
    /// Built into Corosync. It holds a lock on the file as long as it runs.
    public var pidFile: String
    public var logFile: String

    public init(
        manager: Manager = .ofThisHost(), program: String = "/usr/sbin/corosync", pidFile: String = "/run/corosync.pid",
        logFile: String = "/var/log/corosync/corosync.log"
    ) {
        self.manager = manager
        self.program = program
        self.pidFile = pidFile
        self.logFile = logFile
    }

    /// Whether Corosync runs in this mount namespace. A pid file that was left behind does not deceive: its lock is gone.
    public func state() throws(CorosyncProcessError) -> State {
        let file = open(pidFile, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return .stopped }
            throw .pidFile(path: pidFile, errno: errno)
        }
        defer { close(file) }
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        guard fcntl(file, F_GETLK, &lock) == 0 else { throw .pidFile(path: pidFile, errno: errno) }
        return lock.l_type == Int16(F_UNLCK) || lock.l_pid <= 0 ? .stopped : .running(processID: lock.l_pid)
    }

    /// Starts Corosync unless it runs, and waits until it answers.
    ///
    /// - Throws: ``CorosyncProcessError/refusedToStart(code:words:)`` with what it printed or logged.
    @discardableResult
    public func start(within limit: Duration = .seconds(20)) async throws(CorosyncProcessError) -> State {
        let deadline = ContinuousClock.now.advanced(by: limit)
        if case .stopped = try state() {
            removeSharedMemoryOfDead()
            let logged = Self.size(of: logFile)
            let words = manager == .systemd ? ["systemctl", "start", "corosync"] : [program]
            let (code, output) = try await Self.run(words, within: limit)
            guard code == 0 else { throw .refusedToStart(code: code, words: said(output, after: logged)) }
            // As a daemon it may still find a reason to end.
            while case .stopped = try state() {
                guard ContinuousClock.now < deadline else { throw .refusedToStart(code: 0, words: said(output, after: logged)) }
                try await Self.pause()
            }
            try await answers(until: deadline, limit: limit, after: logged)
        } else {
            try await answers(until: deadline, limit: limit, after: Self.size(of: logFile))
        }
        return try state()
    }

    /// Stops Corosync in an orderly way, so that the others see this node leave at once, and waits until it has ended. Does nothing
    /// when it does not run.
    ///
    /// Corosync takes about 1.1 s; one that is started before would refuse to run.
    public func stop(within limit: Duration = .seconds(20)) async throws(CorosyncProcessError) {
        let deadline = ContinuousClock.now.advanced(by: limit)
        guard case .running(let processID) = try state() else { return }
        if manager == .systemd {
            let (code, output) = try await Self.run(["systemctl", "stop", "corosync"], within: limit)
            guard code == 0 else { throw .refusedToStop(code: code, words: output) }
        } else if Glibc.kill(processID, SIGTERM) != 0, errno != ESRCH {
            throw .refusedToStop(code: errno, words: String(cString: strerror(errno)))
        }
        while case .running(let processID) = try state() {
            guard ContinuousClock.now < deadline else { throw .didNotStop(processID: processID, after: limit) }
            try await Self.pause()
        }
    }

    // MARK: -

    /// Removes what a Corosync that was killed left in `/dev/shm`: its connections and its flight recorder, 8 MiB and more (libqb names them
    /// `qb-SERVER-CLIENT-...` and `qb-corosync-SERVER-blackbox-...`). One that ends by itself removes them; nobody else does.
    ///
    /// Only of the process that the pid file names, unless another Corosync has got its number. What cannot be removed costs memory, no more.
    private func removeSharedMemoryOfDead() {
        guard let text = try? String(contentsOfFile: pidFile, encoding: .utf8),
            let dead = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)), dead > 1,
            // Of a process that has ended and is not waited for yet there is no program any more (proc(5)).
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(dead)/exe"))?.hasSuffix("/corosync") != true
        else { return }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: Self.sharedMemory)) ?? []
        for name in names where name.hasPrefix("qb-\(dead)-") || name.hasPrefix("qb-corosync-\(dead)-blackbox") {
            try? FileManager.default.removeItem(atPath: "\(Self.sharedMemory)/\(name)")
        }
    }
    private static let sharedMemory = "/dev/shm"

    /// Its sockets are there some time after its process.
    private func answers(until deadline: ContinuousClock.Instant, limit: Duration, after logged: Int) async throws(CorosyncProcessError) {
        let control = CorosyncControl()
        while true {
            do throws(CorosyncError) {
                _ = try await control.localNode(within: .seconds(1))
                return
            } catch {
                if case .cancelled = error { throw .cancelled }
                guard case .running = try state() else { throw .refusedToStart(code: 0, words: said("", after: logged)) }
                guard error != .refused(call: "corosync_cfg_initialize", .access), ContinuousClock.now < deadline else {
                    throw .doesNotAnswer(after: limit, error)
                }
                try await Self.pause()
            }
        }
    }

    /// What it printed, else the end of what it logged meanwhile.
    private func said(_ output: String, after logged: Int) -> String {
        let printed = output.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let file = FileHandle(forReadingAtPath: logFile) else { return printed }
        defer { try? file.close() }
        let size = Self.size(of: logFile)
        guard size > logged, (try? file.seek(toOffset: UInt64(max(logged, size - 4_096)))) != nil,
            let data = try? file.readToEnd()
        else { return printed }
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        let errors = lines.filter { $0.contains("error") || $0.contains("failed") || $0.contains("crit") || $0.contains("exit") }
        return ([printed] + (errors.isEmpty ? lines : errors).suffix(4).map(String.init)).filter { !$0.isEmpty }.joined(separator: "; ")
    }

    private static func size(of path: String) -> Int {
        var facts = stat()
        return stat(path, &facts) == 0 ? Int(facts.st_size) : 0
    }

    private static func pause() async throws(CorosyncProcessError) {
        do { try await Task.sleep(for: .milliseconds(50)) } catch { throw .cancelled }
    }

    private static func run(_ words: [String], within limit: Duration) async throws(CorosyncProcessError) -> (Int32, String) {
        let seconds = max(1, limit.milliseconds / 1_000)
        do {
            let ended = try await Subprocess.run(
                .name("timeout"), arguments: Arguments(["--kill-after=5", "\(seconds)"] + words), input: .none,
                output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
            let code: Int32 =
                switch ended.terminationStatus {
                case .exited(let code): code
                case .signaled(let signal): 128 + signal
                }
            return (code, ended.standardError + ended.standardOutput)
        } catch {
            if Task.isCancelled { throw .cancelled }
            throw .notRun(program: words[0], "\(error)")
        }
    }
}

/// Why Corosync could not be started or stopped.
public enum CorosyncProcessError: Error, Hashable, Sendable, CustomStringConvertible {
    case notRun(program: String, String)
    /// The exit code of Corosync or of systemctl, and what was said.
    case refusedToStart(code: Int32, words: String)
    case doesNotAnswer(after: Duration, CorosyncError)
    case refusedToStop(code: Int32, words: String)
    case didNotStop(processID: Int32, after: Duration)
    case pidFile(path: String, errno: Int32)
    case cancelled

    public var description: String {
        switch self {
        case .notRun(let program, let reason): "\(program) could not be run: \(reason). Install the Debian package corosync."
        case .refusedToStart(let code, let words):
            "Corosync did not start\(code == 0 ? "" : " (exit code \(code))"): "
                + (words.isEmpty ? "it said nothing; see /var/log/corosync/corosync.log." : words)
        case .doesNotAnswer(let limit, let error): "Corosync runs but did not answer within \(limit). \(error)"
        case .refusedToStop(let code, let words): "Corosync could not be told to stop (code \(code)): \(words)"
        case .didNotStop(let processID, let limit):
            "Corosync, process \(processID), did not end within \(limit). This node is not out of the cluster until it has."
        case .pidFile(let path, let error): "\(path) cannot be read: \(String(cString: strerror(error)))."
        case .cancelled: "Waiting for Corosync was cancelled."
        }
    }
}
