import Foundation

/// What the kernel says about this host.
package enum HostFacts {
    /// Total and available memory in MiB (proc(5): MemTotal, MemAvailable).
    static func memoryMiB() throws -> (total: Int, available: Int) {
        let text = try String(contentsOfFile: "/proc/meminfo", encoding: .utf8)
        func kibibytes(_ key: String) throws -> Int {
            for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
                if let value = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) { return value }
            }
            throw CocoaError(.fileReadCorruptFile, userInfo: [NSDebugDescriptionErrorKey: "/proc/meminfo has no line \(key)"])
        }
        return (try kibibytes("MemTotal") / 1_024, try kibibytes("MemAvailable") / 1_024)
    }

    /// Bridges of this host: interfaces that have a `bridge` folder in sysfs (Documentation/ABI/testing/sysfs-class-net).
    ///
    /// In a network namespace sysfs must have been mounted inside it; otherwise it shows another namespace's interfaces.
    package static func bridges() -> [String] {
        let root = "/sys/class/net"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.filter { access("\(root)/\($0)/bridge", F_OK) == 0 }.sorted()
    }

    /// Memory of a process that is in RAM, in bytes (proc(5): VmRSS); nil when it has ended.
    static func residentBytes(of process: Int32) -> UInt64? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map { $0 * 1_024 }
    }

    /// Post-copy needs userfaultfd(2) to catch faults of the kernel too, which an unprivileged QEMU may use only when this is set
    /// (Documentation/admin-guide/sysctl/vm.rst, `unprivileged_userfaultfd`).
    package static func acceptsPostCopy() -> Bool {
        let setting = try? String(contentsOfFile: "/proc/sys/vm/unprivileged_userfaultfd", encoding: .utf8)
        return setting?.trimmingCharacters(in: .whitespacesAndNewlines) == "1"
    }
}
