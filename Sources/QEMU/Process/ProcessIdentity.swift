import CProcess
import Glibc

/// Which process is meant: its number alone is given to another one some time after it ended.
public struct ProcessIdentity: Hashable, Sendable {
    public var processID: Int32
    /// When it started, in clock ticks since boot: field 22 of /proc/PID/stat (proc(5)).
    public var startTicks: UInt64

    /// Reads the record that a process wrote about itself.
    ///
    /// - Returns: nil for anything but `PID START-TICKS` and a newline.
    init?(record: String) {
        let parts = record.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, record.utf8.count < 64, parts[1].last == "\n", let processID = Int32(parts[0]), processID > 1,
            let ticks = UInt64(parts[1].dropLast())
        else { return nil }
        self.processID = processID
        startTicks = ticks
    }

    init(processID: Int32, startTicks: UInt64) {
        self.processID = processID
        self.startTicks = startTicks
    }

    /// The process that has the number now, if it has not ended.
    ///
    /// - Returns: nil when there is none, or when what is left of it only waits to be reaped (state Z or X).
    static func current(_ processID: Int32) -> ProcessIdentity? {
        guard let text = MachineFolder.procText(processID, "stat"), let parenthesis = text.lastIndex(of: ")") else { return nil }
        // The command between the parentheses may hold anything; fields are counted from its end.
        let fields = text[text.index(after: parenthesis)...].split(separator: " ")
        guard fields.count > 19, let ticks = UInt64(fields[19]), !["Z", "X", "x"].contains(fields[0]) else { return nil }
        return ProcessIdentity(processID: processID, startTicks: ticks)
    }

    /// The arguments the process was started with.
    static func arguments(of processID: Int32) -> [String] {
        (MachineFolder.procText(processID, "cmdline") ?? "").split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
    }
}

extension MachineFolder {
    /// A file of /proc, whose size is not known before it is read.
    fileprivate static func procText(_ processID: Int32, _ name: String) -> String? {
        let descriptor = open("/proc/\(processID)/\(name)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < 1 << 20 {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { break }
            bytes += buffer.prefix(count)
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
