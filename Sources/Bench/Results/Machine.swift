import Foundation

/// What the benchmarks ran on, for whoever reads the numbers later.
struct Machine {
    var processor = Machine.field("model name", in: "/proc/cpuinfo") ?? "unknown processor"
    var cores = ProcessInfo.processInfo.activeProcessorCount
    var memoryGiB = (Double(ProcessInfo.processInfo.physicalMemory) / Double(1 << 30)).rounded()
    var kernel = (text("/proc/sys/kernel/osrelease") ?? "?").trimmingCharacters(in: .whitespacesAndNewlines)
    /// What else is worth knowing, for instance what QEMU it has.
    var notes: [String] = []

    var line: String {
        (["\(cores) x \(processor), \(Int(memoryGiB)) GiB", "Linux \(kernel)"] + notes + ["load \(Self.load)"]).joined(separator: "; ")
    }

    /// Processes that wanted to run, over the last minute (proc(5), loadavg).
    static var load: String { text("/proc/loadavg").map { String($0.prefix { $0 != " " }) } ?? "?" }

    private static func field(_ name: String, in path: String) -> String? {
        text(path)?.split(separator: "\n").first { $0.hasPrefix(name) }?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
    }
}

/// The content of a small file; nil when it cannot be read.
func text(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return String(decoding: data, as: UTF8.self)
}
