import ClusterModel
import Foundation
import NodeService
import Validation

/// What runs on the node.
enum SoftwareCollector {
    static func collect(_ reader: inout FactReader, _ tools: ToolAnswers, _ host: HostCapabilities) -> SoftwareFacts {
        var facts = SoftwareFacts()
        var names = utsname()
        if uname(&names) == 0 {
            facts.kernelRelease = withUnsafeBytes(of: &names.release) { HardwareCollector.text($0) }
            facts.kernelVersion = withUnsafeBytes(of: &names.version) { HardwareCollector.text($0) }
        }
        facts.kernelCommandLine = reader.optionalLine("/proc/cmdline")
        let release = reader.text("/etc/os-release", for: "distribution").map(SettingText.assignments) ?? [:]
        facts.distributionID = release["ID"]
        facts.distributionVersion = release["VERSION_ID"]
        facts.distributionName = release["PRETTY_NAME"]
        facts.apusVersion = ApusVersion.current
        facts.qemuVersion = host.qemuVersion
        // Corosync Cluster Engine, version '3.1.7'
        facts.corosyncVersion = tools.corosync.text?.split(separator: "'").dropFirst().first.map(String.init)
        switch tools.packages {
        case .success(let text): facts.packages = SettingText.packages(text, names: ToolAnswers.packageNames)
        case .failure(let problem): reader.note("packages", problem.description)
        }
        switch tools.units {
        case .success(let text): facts.services = SettingText.units(text)
        case .failure(let problem): reader.note("services", problem.description)
        }
        facts.modules = modules(&reader, release: facts.kernelRelease ?? "")
        facts.environment = environment(reader, tools)
        facts.pendingReboot = pendingReboot(reader)
        facts.uptimeSeconds = reader.optionalLine("/proc/uptime")?.split(separator: " ").first.flatMap { Double($0) }
            .flatMap { $0.isFinite && $0 >= 0 && $0 < 1e10 ? Int($0) : nil }
        return facts
    }

    static let modulesThatMatter = [
        "kvm", "kvm_intel", "kvm_amd", "tun", "bridge", "8021q", "bonding", "vhost_net", "iscsi_tcp", "dm_multipath", "softdog", "vfio_pci",
    ]

    /// Loaded as a module, or built into the kernel. A kernel without modules shows what it has below `/sys/module` all the same.
    private static func modules(_ reader: inout FactReader, release: String) -> [String] {
        let loaded = Set(reader.names(in: "/sys/module"))
        let builtin = Set(
            (reader.optional("/lib/modules/\(release)/modules.builtin") ?? "").split(separator: "\n").compactMap {
                $0.split(separator: "/").last.map { String($0).replacing(".ko", with: "").replacing("-", with: "_") }
            })
        if loaded.isEmpty { reader.note("kernel modules", "/sys/module cannot be read.") }
        return modulesThatMatter.filter { loaded.contains($0) || builtin.contains($0) || worksWithout($0, reader) }
    }

    /// Built in without a folder of its own: known by what it gives.
    private static func worksWithout(_ module: String, _ reader: FactReader) -> Bool {
        switch module {
        case "tun": reader.exists("/dev/net/tun")
        case "kvm": reader.exists("/dev/kvm")
        case "vhost_net": reader.exists("/dev/vhost-net")
        case "bridge": reader.exists("/proc/sys/net/bridge") || !HostFacts.bridges().isEmpty
        default: false
        }
    }

    private static func environment(_ reader: FactReader, _ tools: ToolAnswers) -> [String: String] {
        var values: [String: String] = [:]
        let locale = (reader.optional("/etc/default/locale") ?? reader.optional("/etc/locale.conf")).map(SettingText.assignments) ?? [:]
        values["LANG"] = locale["LANG"]
        values["timezone"] = tools.timedate.text.map(SettingText.assignments)?["Timezone"] ?? reader.optionalLine("/etc/timezone")
        let all = reader.optional("/etc/environment").map(SettingText.assignments) ?? [:]
        for name in ["http_proxy", "https_proxy", "no_proxy"] { values[name] = all[name] ?? all[name.uppercased()] }
        return values
    }

    /// Debian's packages write these files (update-notifier); a new kernel in /boot tells it too.
    private static func pendingReboot(_ reader: FactReader) -> [String] {
        guard reader.exists("/run/reboot-required") else { return [] }
        let packages = (reader.optional("/run/reboot-required.pkgs") ?? "").split(separator: "\n").map(String.init)
        return packages.isEmpty ? ["/run/reboot-required is there"] : Array(Set(packages)).sorted()
    }
}
