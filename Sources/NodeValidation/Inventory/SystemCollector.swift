import ClusterModel
import Foundation
import Glibc
import NIOSSL
import NodeIdentity
import Validation

/// How the operating system is set up.
enum SystemCollector {
    static func collect(_ reader: inout FactReader, _ tools: ToolAnswers, _ context: ProbeContext) -> SystemFacts {
        var facts = SystemFacts()
        facts.limits = limits(&reader)
        for name in settings { facts.sysctl[name] = reader.optionalLine("/proc/sys/" + name.replacing(".", with: "/")) }
        facts.time = time(&reader, tools)
        facts.selinuxMode = reader.optionalNumber("/sys/fs/selinux/enforce").map { $0 == 1 ? "enforcing" : "permissive" }
        facts.appArmorMode = reader.optionalLine("/sys/module/apparmor/parameters/enabled").map { $0 == "Y" ? "enabled" : "disabled" }
        facts.watchdogs = watchdogs(reader)
        facts.users = [user(context.configuration.machineUser)]
        facts.files = files(context.configuration)
        let directories = context.configuration.directories
        facts.fileSystems = [("state", directories.state), ("runtime", directories.runtime), ("log", "/var/log")].map(fileSystem)
        certificates(&reader, context, &facts)
        facts.crashDump = crashDump(reader)
        facts.entropyBits = reader.optionalNumber("/proc/sys/kernel/random/entropy_avail")
        return facts
    }

    private static let settings = [
        "vm.overcommit_memory", "vm.swappiness", "vm.unprivileged_userfaultfd", "vm.panic_on_oom", "kernel.panic", "kernel.panic_on_oops",
        "kernel.sched_rt_runtime_us", "net.ipv4.ip_forward", "net.ipv4.conf.all.rp_filter", "net.core.rmem_max", "net.core.wmem_max",
    ]

    /// Those of this service, which Corosync and QEMU inherit from it or, under systemd, get like it.
    private static func limits(_ reader: inout FactReader) -> LimitFacts {
        var facts = LimitFacts()
        guard let text = reader.text("/proc/self/limits", for: "limits") else { return facts }
        let values = SettingText.limits(text)
        facts.wereRead = ["Max locked memory", "Max open files", "Max processes"].allSatisfy { values[$0] != nil }
        if !facts.wereRead { reader.note("limits", "/proc/self/limits lacks some of the lines that it should have.") }
        facts.lockedMemoryBytes = values["Max locked memory"] ?? nil
        facts.openFiles = values["Max open files"] ?? nil
        facts.processes = values["Max processes"] ?? nil
        facts.realTimePriority = (values["Max realtime priority"] ?? nil).map { Int(clamping: $0) }
        facts.canScheduleRealTime = canScheduleRealTime()
        return facts
    }

    /// Tried on this thread, which belongs to the inventory alone and ends soon (sched(7): lowest real-time priority, then back).
    private static func canScheduleRealTime() -> Bool {
        var parameters = sched_param()
        parameters.sched_priority = 1
        guard sched_setscheduler(0, SCHED_RR, &parameters) == 0 else { return false }
        parameters.sched_priority = 0
        // It was ordinary before; a thread may always give up what it has.
        _ = sched_setscheduler(0, SCHED_OTHER, &parameters)
        return true
    }

    private static func time(_ reader: inout FactReader, _ tools: ToolAnswers) -> TimeFacts {
        var facts = TimeFacts()
        if let text = tools.chrony.text, let tracking = SettingText.chrony(text) {
            facts.service = "chrony"
            facts.source = tracking.source
            facts.stratum = tracking.stratum
            facts.offsetMilliseconds = tracking.offsetMilliseconds
        } else if let units = tools.units.text.map(SettingText.units) {
            let known = ["chrony.service": "chrony", "systemd-timesyncd.service": "systemd-timesyncd", "ntpsec.service": "ntpd"]
            facts.service = units.first { known[$0.name] != nil && $0.activeState == "active" }.flatMap { known[$0.name] }
        }
        if let word = tools.timedate.text.map(SettingText.assignments)?["NTPSynchronized"] {
            facts.isSynchronized = word == "yes"
        } else if let stratum = facts.stratum {
            // chronyc(1): 0 while it follows nobody.
            facts.isSynchronized = (1...15).contains(stratum)
        } else if case .failure(let problem) = tools.timedate {
            reader.note("clock", problem.description)
        }
        facts.timeZone = tools.timedate.text.map(SettingText.assignments)?["Timezone"] ?? reader.optionalLine("/etc/timezone")
        facts.clockSource = reader.optionalLine("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        return facts
    }

    private static func watchdogs(_ reader: FactReader) -> [WatchdogFacts] {
        reader.names(in: "/sys/class/watchdog").map { name in
            var facts = WatchdogFacts(path: "/dev/\(name)")
            let folder = "/sys/class/watchdog/\(name)"
            facts.identity = reader.optionalLine(folder + "/identity")
            facts.isSoftware = facts.identity.map { $0.localizedCaseInsensitiveContains("software") }
            facts.timeoutSeconds = reader.optionalNumber(folder + "/timeout")
            if reader.optionalLine(folder + "/state") == "active" { facts.usedBy = "a program that keeps it open" }
            return facts
        }
    }

    private static func user(_ name: String) -> UserFacts {
        var entry = passwd()
        var buffer = [CChar](repeating: 0, count: 16_384)
        var found: UnsafeMutablePointer<passwd>?
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else {
            return UserFacts(name: name, uid: nil, gid: nil, groups: [])
        }
        var groups = [gid_t](repeating: 0, count: 256)
        var count = Int32(groups.count)
        _ = getgrouplist(name, entry.pw_gid, &groups, &count)
        return UserFacts(
            name: name, uid: entry.pw_uid, gid: entry.pw_gid,
            groups: groups.prefix(Int(max(0, min(count, 256)))).map { groupName($0) }.sorted())
    }

    private static func groupName(_ id: gid_t) -> String {
        var entry = group()
        var buffer = [CChar](repeating: 0, count: 16_384)
        var found: UnsafeMutablePointer<group>?
        guard getgrgid_r(id, &entry, &buffer, buffer.count, &found) == 0, found != nil, let name = entry.gr_name else { return "\(id)" }
        return String(cString: name)
    }

    private static func files(_ configuration: NodeConfiguration) -> [FileFacts] {
        let directories = configuration.directories
        var files = [
            FileFacts(path: directories.state, expectedOwner: "root", expectedMode: 0o755, isRequired: true),
            FileFacts(path: directories.runtime, expectedOwner: "root", expectedMode: 0o755, isRequired: true),
            FileFacts(path: "/etc/apus", expectedOwner: "root", expectedMode: 0o755, isRequired: false),
            FileFacts(path: "/etc/apus/node.yaml", expectedOwner: "root", expectedMode: 0o644, isRequired: false),
            FileFacts(path: directories.identity + "/node-key.pem", expectedOwner: "root", expectedMode: 0o600, isRequired: false),
            FileFacts(path: directories.state + "/joining/free-key.pem", expectedOwner: "root", expectedMode: 0o600, isRequired: false),
        ]
        if let secret = configuration.san?.secretFile {
            files.append(FileFacts(path: secret, expectedOwner: "root", expectedMode: 0o600, isRequired: true))
        }
        return files.map { file in
            var file = file
            guard let facts = try? FileManager.default.attributesOfItem(atPath: file.path) else { return file }
            // A number of which the user database knows no name has none.
            file.owner =
                facts[.ownerAccountName] as? String ?? (facts[.ownerAccountID] as? NSNumber).map { "user \($0)" }
            file.group = facts[.groupOwnerAccountName] as? String
            file.mode = (facts[.posixPermissions] as? NSNumber)?.uint32Value
            return file
        }
    }

    private static func fileSystem(_ purpose: String, _ path: String) -> FileSystemFacts {
        var facts = FileSystemFacts(purpose: purpose, path: path)
        guard let room = room(path) else { return facts }
        facts.totalBytes = room.total
        facts.freeBytes = room.free
        facts.freeInodes = room.inodes
        facts.isReadOnly = room.isReadOnly
        return facts
    }

    /// statvfs(3).
    static func room(_ path: String) -> (total: UInt64, free: UInt64, inodes: UInt64?, isReadOnly: Bool)? {
        var facts = statvfs()
        guard statvfs(path, &facts) == 0 else { return nil }
        let unit = UInt64(facts.f_frsize)
        let (total, one) = UInt64(facts.f_blocks).multipliedReportingOverflow(by: unit)
        let (free, other) = UInt64(facts.f_bavail).multipliedReportingOverflow(by: unit)
        guard !one, !other else { return nil }
        // File systems without a table of inodes tell none at all.
        return (total, free, facts.f_files == 0 ? nil : UInt64(facts.f_favail), facts.f_flag & 1 != 0)
    }

    private static func certificates(_ reader: inout FactReader, _ context: ProbeContext, _ facts: inout SystemFacts) {
        let folder = context.configuration.directories.identity
        let free = context.configuration.directories.state + "/joining/free-cert.pem"
        if reader.exists(folder + "/node-cert.pem") {
            var fits: Bool?
            do {
                _ = try NodeIdentity.load(from: folder, node: context.node.rawValue, now: Date())
                fits = true
            } catch {
                fits = false
                reader.note("certificates", "\(error)")
            }
            certificate(folder + "/node-cert.pem", "node certificate", fits, &reader, &facts)
            certificate(folder + "/ca-cert.pem", "authority", nil, &reader, &facts)
        } else if reader.exists(free) {
            certificate(free, "certificate for joining", nil, &reader, &facts)
        } else {
            reader.note("certificates", "There is neither \(folder)/node-cert.pem nor \(free).")
        }
    }

    private static func certificate(
        _ path: String, _ purpose: String, _ fitsKey: Bool?, _ reader: inout FactReader, _ facts: inout SystemFacts
    ) {
        do {
            guard let certificate = try NIOSSLCertificate.fromPEMFile(path).first else {
                reader.note("certificates", "\(path) holds no certificate.")
                return
            }
            let der = try certificate.toDERBytes()
            let fingerprint = FreeNodeIdentity.fingerprint(ofDER: der).map { String($0, radix: 16).leftPadded(2) }.joined()
            facts.certificates.append(
                CertificateState(
                    path: path, purpose: purpose, subject: Holder(der: der).map { "\($0)" } ?? "",
                    notBefore: WallTime(milliseconds: Int64(certificate.notValidBefore) * 1_000),
                    notAfter: WallTime(milliseconds: Int64(certificate.notValidAfter) * 1_000), fingerprint: fingerprint, fitsKey: fitsKey))
        } catch { reader.note("certificates", "\(path) cannot be read: \(error)") }
    }

    private static func crashDump(_ reader: FactReader) -> CrashDumpFacts {
        var facts = CrashDumpFacts()
        facts.reservedBytes = reader.optionalLine("/sys/kernel/kexec_crash_size").flatMap { UInt64($0) }
        facts.isKernelLoaded = reader.optionalLine("/sys/kernel/kexec_crash_loaded").map { $0 == "1" }
        facts.corePattern = reader.optionalLine("/proc/sys/kernel/core_pattern")
        facts.panicTimeoutSeconds = reader.optionalNumber("/proc/sys/kernel/panic")
        return facts
    }
}

extension String {
    fileprivate func leftPadded(_ width: Int) -> String { String(repeating: "0", count: max(0, width - count)) + self }
}
