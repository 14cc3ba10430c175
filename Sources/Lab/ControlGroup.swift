import Foundation

/// The control groups of a lab: whoever is in one, and all that it starts, ends with one write.
///
/// `apus-lab/PREFIX/MEMBER/{keeper,system}` in the cgroup v2 hierarchy. No controller is used, only membership and `cgroup.kill`
/// (Linux 5.14, cgroup-v2.rst "Core Interface Files"). Nobody leaves a control group by forking, changing session or dying parents.
struct ControlGroups: Sendable {
    private let top: String
    /// Set when nobody had mounted the hierarchy and we did.
    private let ownMount: String?

    /// - Parameter folder: Where to mount the hierarchy if it is mounted nowhere.
    static func open(folder: LabFolder) async throws(LabError) -> ControlGroups {
        let path = folder.path + "/cgroup"
        let mounts = writableMounts()
        // Another lab's mount goes away with that lab, so it is not for us.
        if let mount = mounts.first(where: { !$0.hasPrefix(LabFolder.root + "/") }) {
            return ControlGroups(top: mount + "/apus-lab/" + folder.prefix, ownMount: nil)
        }
        if !mounts.contains(path) {
            try Files.makeFolder(path)
            try await Command.check(["mount", "-t", "cgroup2", "none", path])
        }
        return ControlGroups(top: path + "/apus-lab/" + folder.prefix, ownMount: path)
    }

    private static func writableMounts() -> [String] {
        // proc(5), mountinfo: 36 35 98:0 /root /mount/point options - type source superoptions. Only the whole hierarchy will do.
        (Files.text("/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap { line in
            let sides = line.split(separator: " - ", maxSplits: 1)
            let fields = line.split(separator: " ")
            guard sides.count == 2, sides[1].hasPrefix("cgroup2 "), fields.count > 5, fields[3] == "/" else { return nil }
            let isWritable = access(String(fields[4]), W_OK) == 0 && !fields[5].split(separator: ",").contains("ro")
            return isWritable ? String(fields[4]) : nil
        }
    }

    var exists: Bool { Files.exists(top) }

    func make(_ member: Member) throws(LabError) {
        try Files.makeFolder(path(member) + "/keeper")
        try Files.makeFolder(path(member) + "/system")
        guard Files.exists(path(member) + "/cgroup.kill") else {
            throw .refused("This kernel has no cgroup.kill, by which the lab ends its processes. Use Linux 5.14 or newer.")
        }
    }

    /// The file to which a process writes its id to join.
    func keeperEntry(_ member: Member) -> String { path(member) + "/keeper/cgroup.procs" }
    func systemEntry(_ member: Member) -> String { path(member) + "/system/cgroup.procs" }

    /// The process that holds the member's namespaces; nil when there is none.
    func keeper(of member: Member) -> pid_t? { processes(path(member) + "/keeper").first }

    /// Everything that runs in a member, its keeper not included.
    func processes(of member: Member) -> [pid_t] { processes(path(member) + "/system") }

    private func processes(_ group: String) -> [pid_t] {
        (Files.text(group + "/cgroup.procs") ?? "").split(separator: "\n").compactMap { pid_t($0) }
    }

    /// Ends everything in a member, and its control group.
    func kill(_ member: Member) async throws(LabError) { try await end(path(member)) }

    /// Ends everything in the lab, known or not.
    func killAll() async throws(LabError) {
        try await end(top)
        Files.removeIfEmpty((top as NSString).deletingLastPathComponent)
        if let ownMount { try await Command.check(["umount", ownMount]) }
    }

    private func path(_ member: Member) -> String { top + "/" + member.name }

    private func end(_ group: String) async throws(LabError) {
        for _ in 0..<1_000 {
            // Again each time: a process that was just about to join when we looked must not get away.
            try Self.writeKill(group)
            if Self.removeTree(group) { return }
            do { try await Task.sleep(for: .milliseconds(10)) } catch { throw .refused("Ending \(group) was cancelled.") }
        }
        throw .timeout("Processes in \(group) are still there 10 s after they were killed: \(processes(group)).")
    }

    private static func writeKill(_ group: String) throws(LabError) {
        // In place: a control file cannot be replaced.
        let file = Glibc.open(group + "/cgroup.kill", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else {
            guard Files.exists(group) else { return }
            throw .file(path: group + "/cgroup.kill", reason: String(cString: strerror(errno)))
        }
        defer { close(file) }
        // ENODEV: removed meanwhile.
        guard Glibc.write(file, "1", 1) == 1 || errno == ENODEV else {
            throw .file(path: group + "/cgroup.kill", reason: String(cString: strerror(errno)))
        }
    }

    /// Control groups are removed from the leaves on, folder by folder; their files cannot be removed.
    private static func removeTree(_ group: String) -> Bool {
        let children = (try? FileManager.default.contentsOfDirectory(atPath: group)) ?? []
        for child in children {
            var about = stat()
            let path = group + "/" + child
            if lstat(path, &about) == 0, about.st_mode & S_IFMT == S_IFDIR, !removeTree(path) { return false }
        }
        return rmdir(group) == 0 || errno == ENOENT
    }
}
