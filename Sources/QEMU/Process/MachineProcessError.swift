import Glibc

/// Why a machine's process could not be started, found or ended.
public enum MachineProcessError: Error, Hashable, Sendable, CustomStringConvertible {
    case noSuchUser(String)
    case privilegedUser(String)
    /// `errno` of a file operation.
    case file(path: String, operation: String, errno: Int32)
    /// The program did not get as far as running. `stage` says what was being done.
    case spawn(program: String, stage: String, errno: Int32)
    /// QEMU ran and ended before it was ready; its last words.
    case endedAtStart(program: String, words: String)
    /// QEMU runs but is not ready in time; it was killed. Its last words.
    case notReady(program: String, seconds: Double, words: String)
    /// A process with the machine's record runs already.
    case alreadyRunning(folder: String, processID: Int32)
    /// SIGKILL was sent and the process is still there, usually in a system call that waits for a device.
    case unkillable(processID: Int32, seconds: Double)

    public var description: String {
        switch self {
        case .noSuchUser(let name):
            "There is no user \(name) on this node. Create it: useradd --system --no-create-home --shell /usr/sbin/nologin \(name)"
        case .privilegedUser(let name): "QEMU would run as \(name), who is root. Name an unprivileged user as machineUser."
        case .file(let path, let operation, let error): "\(path): \(operation) failed: \(systemMessage(error))."
        case .spawn(let program, let stage, let error):
            "\(program) did not start: \(stage) failed: \(systemMessage(error))."
                + (error == ENOENT ? " Install the Debian package qemu-system-x86." : "")
        case .endedAtStart(let program, let words):
            (words.isEmpty ? "\(program) ended at once without a word." : "\(program) refused to start: \(words)") + Self.advice(on: words)
        case .notReady(let program, let seconds, let words):
            "\(program) was not ready within \(seconds) s and was ended." + (words.isEmpty ? "" : " Its last words: \(words)")
        case .alreadyRunning(let folder, let processID):
            "The machine of \(folder) runs already as process \(processID); adopt or end it first."
        case .unkillable(let processID, let seconds):
            "Process \(processID) is still there \(seconds) s after SIGKILL: it waits in the kernel, usually for a disk. "
                + "Its machine must not be started elsewhere until it is gone."
        }
    }
}

extension MachineProcessError {
    /// QEMU ends so with `enforce` when the host lacks a feature of the CPU model (target/i386/cpu.c, x86_cpu_filter_features).
    fileprivate static func advice(on words: String) -> String {
        guard words.contains("doesn't support requested features") else { return "" }
        let end = words.last == "." ? "" : "."
        return end + " This node cannot present the machine's CPU model. Name another one in its definition: Nehalem runs everywhere."
    }
}

/// strerror(3), in the form that threads may use.
func systemMessage(_ error: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(error, &buffer, buffer.count) == 0 else { return "error \(error)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
