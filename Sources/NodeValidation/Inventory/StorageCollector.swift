import ClusterModel
import Foundation
import Validation

/// What the node sees of disks: those of the SAN over the node service's own session, and the kernel's.
enum StorageCollector {
    static func collect(
        _ reader: inout FactReader, _ context: ProbeContext, _ san: Result<[SharedDiskStatus], ProbeProblem>, shares: [String]
    ) -> StorageFacts {
        var facts = StorageFacts()
        let target = context.configuration.san?.target ?? ""
        switch san {
        case .success(let disks): facts.disks = disks.map { disk($0, target: target) }
        case .failure(let problem): reader.note("disks of the SAN", problem.description)
        }
        facts.disks += kernelDisks(reader)
        facts.hostBusAdapters = adapters(reader)
        if let initiator = context.configuration.san?.initiator {
            facts.initiators.append(InitiatorFacts(name: initiator, source: "node.yaml"))
        }
        let file = "/etc/iscsi/initiatorname.iscsi"
        if let name = reader.optional(file).map(SettingText.assignments)?["InitiatorName"] {
            facts.initiators.append(InitiatorFacts(name: name, source: file))
        }
        facts.shares = (reader.text("/proc/self/mountinfo", for: "file shares").map(NetworkText.shares) ?? []).map { share in
            var share = share
            share.freeBytes = SystemCollector.room(share.path)?.free
            return share
        }
        return facts
    }

    private static func disk(_ status: SharedDiskStatus, target: String) -> DiskFacts {
        var disk = DiskFacts(path: "\(target)/\(status.lun)")
        disk.id = status.id
        disk.lun = status.lun
        disk.vendor = status.vendor
        disk.product = status.product
        disk.serial = status.serial
        disk.byteCount = status.byteCount
        disk.blockByteCount = status.blockByteCount
        disk.transport = "iscsi"
        disk.pathCount = 1
        disk.content = status.content
        disk.freeByteCount = status.freeByteCount
        if !status.extents.isEmpty { disk.usedBy = "\(status.extents.count) disks of virtual machines" }
        return disk
    }

    private static let pretended = ["loop", "ram", "zram", "nbd", "dm-", "md", "sr", "fd"]

    private static func kernelDisks(_ reader: FactReader) -> [DiskFacts] {
        let mounted = Set(
            (reader.optional("/proc/self/mounts") ?? "").split(separator: "\n").compactMap { line in
                line.split(separator: " ").first.map(String.init)
            })
        return reader.names(in: "/sys/block").filter { name in !pretended.contains { name.hasPrefix($0) } }.map { name in
            let folder = "/sys/block/\(name)"
            var disk = DiskFacts(path: "/dev/\(name)")
            // SCSI disks name themselves `naa.…`; what other drivers write there is no identity that nodes share.
            disk.id = reader.optionalLine(folder + "/device/wwid").flatMap {
                $0.hasPrefix("naa.") || $0.hasPrefix("eui.") ? DiskID($0) : nil
            }
            disk.vendor = reader.optionalLine(folder + "/device/vendor").flatMap { $0.hasPrefix("0x") ? nil : $0 }
            disk.product = reader.optionalLine(folder + "/device/model")
            disk.revision = reader.optionalLine(folder + "/device/rev")
            disk.serial = reader.optionalLine(folder + "/serial") ?? reader.optionalLine(folder + "/device/serial")
            // In units of 512 bytes whatever the block size (Documentation/ABI/stable/sysfs-block).
            disk.byteCount = reader.optionalLine(folder + "/size").flatMap { UInt64($0) }.flatMap { $0 < 1 << 50 ? $0 * 512 : nil }
            disk.blockByteCount = reader.optionalNumber(folder + "/queue/logical_block_size")
            disk.hasWriteCache = reader.optionalLine(folder + "/queue/write_cache").map { $0 == "write back" }
            disk.transport = transport(name, (try? FileManager.default.destinationOfSymbolicLink(atPath: folder)) ?? "")
            let holders = reader.names(in: folder + "/holders")
            let mounts = mounted.filter {
                $0 == disk.path || $0.hasPrefix(disk.path) && $0.dropFirst(disk.path.count).allSatisfy { $0.isNumber || $0 == "p" }
            }
            if let mount = mounts.min() {
                disk.usedBy = "mounted: \(mount)"
            } else if !holders.isEmpty {
                disk.usedBy = holders.joined(separator: ", ")
            }
            return disk
        }
    }

    /// From the device's place in sysfs: each transport has folders of its own on the way.
    private static func transport(_ name: String, _ place: String) -> String {
        if name.hasPrefix("nvme") { return place.contains("/fabrics/") ? "nvme" : "local" }
        if place.contains("/session") { return "iscsi" }
        if place.contains("/rport-") { return "fc" }
        if place.contains("/end_device-") { return "sas" }
        return "local"
    }

    private static func adapters(_ reader: FactReader) -> [HostBusAdapterFacts] {
        reader.names(in: "/sys/class/fc_host").map { name in
            var adapter = HostBusAdapterFacts(name: name)
            adapter.portName = reader.optionalLine("/sys/class/fc_host/\(name)/port_name")
            adapter.portState = reader.optionalLine("/sys/class/fc_host/\(name)/port_state")
            adapter.model = reader.optionalLine("/sys/class/fc_host/\(name)/symbolic_name")
            adapter.driver = reader.optionalLine("/sys/class/scsi_host/\(name)/proc_name")
            return adapter
        }
    }
}
