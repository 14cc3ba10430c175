import Foundation
import Lab

/// Everything by which a lab can be seen on this machine. Named after the prefix, because other labs may come and go meanwhile.
struct Traces: CustomStringConvertible {
    var found: [String] = []
    var description: String { found.isEmpty ? "nothing" : found.joined(separator: "; ") }

    /// - Parameter networkNamespaces: Their inode numbers; no process may be in one of them.
    init(prefix: String, networkNamespaces: Set<UInt64> = []) {
        for folder in ["/run/apus-lab/\(prefix)", "/var/lib/apus-lab/\(prefix)"] where Self.exists(folder) {
            found.append("folder \(folder)")
        }
        for name in Self.list("/run/netns") where name.hasPrefix(prefix + "-") { found.append("namespace \(name)") }
        for line in Self.text("/proc/self/mountinfo").split(separator: "\n")
        where line.contains("/apus-lab/\(prefix)/") || line.contains("/netns/\(prefix)-") { found.append("mount \(line)") }
        for top in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] where Self.exists("\(top)/apus-lab/\(prefix)") {
            found.append("control group \(top)/apus-lab/\(prefix)")
        }
        for process in Self.list("/proc") where process.allSatisfy(\.isNumber) {
            // A dead process that waits for its parent to notice holds nothing any more.
            guard !Self.text("/proc/\(process)/status").contains("State:\tZ") else { continue }
            let command = Self.text("/proc/\(process)/cmdline").replacing("\0", with: " ")
            if Self.text("/proc/\(process)/cgroup").contains("/apus-lab/\(prefix)/") || command.contains("apus-lab/\(prefix)/") {
                found.append("process \(process) \(command)")
            }
            if let inode = Self.inode("/proc/\(process)/ns/net"), networkNamespaces.contains(inode) {
                found.append("process \(process) \(command) in a network namespace of the lab")
            }
        }
        // Interfaces that a failed build could have left out here.
        for link in Self.list("/sys/class/net") where ["n1-", "n2-", "san-", "client-"].contains(where: link.hasPrefix) {
            found.append("link \(link)")
        }
    }

    /// The network namespaces that the lab's members live in now.
    static func networkNamespaces(prefix: String) -> Set<UInt64> {
        // A keeper that has just been started is still in ours.
        Set(
            list("/proc").filter { $0.allSatisfy(\.isNumber) && text("/proc/\($0)/cgroup").contains("/apus-lab/\(prefix)/") }
                .compactMap { inode("/proc/\($0)/ns/net") }
        ).subtracting([inode("/proc/self/ns/net")].compactMap { $0 })
    }

    private static func inode(_ path: String) -> UInt64? {
        var about = stat()
        return stat(path, &about) == 0 ? UInt64(about.st_ino) : nil
    }
    private static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
    private static func list(_ folder: String) -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] }
    private static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

/// A lab for one test: taken down at the end, whatever happened.
func withLab<Result: Sendable>(
    _ description: LabDescription, apusd: String? = nil, serviceSeconds: Int = 30, _ body: (Lab) async throws -> Result
) async throws -> Result {
    var tools = try LabTools.find()
    if let apusd { tools.apusd = apusd }
    // Of a run that was ended by force.
    try await LabBuilder.down(prefix: description.prefix)
    let lab = try await LabBuilder(description, tools: tools, nodes: apusd == nil ? .bare : .fixed, serviceSeconds: serviceSeconds).up()
    do {
        let result = try await body(lab)
        try await LabBuilder.down(prefix: description.prefix)
        return result
    } catch {
        try await LabBuilder.down(prefix: description.prefix)
        throw error
    }
}
