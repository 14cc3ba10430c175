import Foundation
import Validation

/// What the node is built of, from `/proc` and `/sys`.
enum HardwareCollector {
    static func collect(_ reader: inout FactReader) -> HardwareFacts {
        var facts = HardwareFacts()
        facts.firmware = firmware(&reader)
        facts.processors = processors(&reader)
        facts.memory = memory(&reader)
        facts.numaNodes = numa(reader)
        facts.pciDevices = pciDevices(reader)
        return facts
    }

    private static func firmware(_ reader: inout FactReader) -> FirmwareFacts {
        var facts = FirmwareFacts()
        let dmi = "/sys/class/dmi/id"
        facts.isUEFI = reader.exists("/sys/firmware/efi")
        guard reader.exists(dmi) else {
            reader.note("firmware", "The kernel shows no \(dmi): the machine has no SMBIOS tables.")
            return facts
        }
        facts.vendor = reader.optionalLine(dmi + "/bios_vendor")
        facts.version = reader.optionalLine(dmi + "/bios_version")
        facts.date = reader.optionalLine(dmi + "/bios_date")
        facts.systemVendor = reader.optionalLine(dmi + "/sys_vendor")
        facts.systemProduct = reader.optionalLine(dmi + "/product_name")
        // UEFI 2.10, 3.3: the variable SecureBoot of the global namespace; the first four bytes are its attributes.
        let variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
        if let bytes = FileManager.default.contents(atPath: variable), bytes.count == 5 { facts.isSecureBoot = bytes.last == 1 }
        return facts
    }

    private static func processors(_ reader: inout FactReader) -> ProcessorFacts {
        var facts = reader.text("/proc/cpuinfo", for: "processors").map(ProcessorText.facts) ?? ProcessorFacts()
        var names = utsname()
        if uname(&names) == 0 { facts.architecture = withUnsafeBytes(of: &names.machine) { Self.text($0) } }
        if let kind = reader.optionalLine("/sys/hypervisor/type") {
            facts.hypervisor = kind
        } else if facts.features.contains("hypervisor") {
            facts.hypervisor = reader.optionalLine("/sys/class/dmi/id/sys_vendor") ?? "unknown"
        }
        let folder = "/sys/devices/system/cpu/vulnerabilities"
        for name in reader.names(in: folder) { facts.mitigations[name] = reader.optionalLine("\(folder)/\(name)") }
        return facts
    }

    static func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    private static func memory(_ reader: inout FactReader) -> MemoryFacts {
        var facts = MemoryFacts()
        let values = reader.text("/proc/meminfo", for: "memory").map(SettingText.memory) ?? [:]
        facts.totalBytes = values["MemTotal"]
        facts.availableBytes = values["MemAvailable"]
        facts.swapTotalBytes = values["SwapTotal"]
        facts.swapFreeBytes = values["SwapFree"]
        facts.transparentHugepages = reader.optional("/sys/kernel/mm/transparent_hugepage/enabled").flatMap(SettingText.chosen)
        let folder = "/sys/kernel/mm/hugepages"
        for name in reader.names(in: folder) {
            // `hugepages-2048kB`
            guard let size = name.split(separator: "-").last.flatMap({ UInt64($0.dropLast(2)) }), size <= 1 << 40,
                let total = reader.optionalNumber("\(folder)/\(name)/nr_hugepages"),
                let free = reader.optionalNumber("\(folder)/\(name)/free_hugepages")
            else { continue }
            facts.hugepages.append(HugepageFacts(pageBytes: size * 1_024, total: total, free: free))
        }
        facts.hugepages.sort { $0.pageBytes < $1.pageBytes }
        let controllers = reader.names(in: "/sys/devices/system/edac/mc").filter { $0.hasPrefix("mc") }
        func errors(_ file: String) -> Int? {
            let counts = controllers.compactMap { reader.optionalNumber("/sys/devices/system/edac/mc/\($0)/\(file)") }
            return counts.isEmpty ? nil : counts.reduce(0) { $0.addingReportingOverflow($1).partialValue }
        }
        facts.correctedErrors = errors("ce_count")
        facts.uncorrectedErrors = errors("ue_count")
        return facts
    }

    private static func numa(_ reader: FactReader) -> [NUMANodeFacts] {
        let folder = "/sys/devices/system/node"
        let numbers = reader.names(in: folder).compactMap { $0.hasPrefix("node") ? Int($0.dropFirst(4)) : nil }.sorted()
        return numbers.map { number in
            let memory = reader.optional("\(folder)/node\(number)/meminfo").map(SettingText.memory)?["MemTotal"] ?? 0
            return NUMANodeFacts(
                number: number, processors: reader.optionalLine("\(folder)/node\(number)/cpulist") ?? "", memoryBytes: memory)
        }
    }

    private static func pciDevices(_ reader: FactReader) -> [PCIDeviceFacts] {
        let folder = "/sys/bus/pci/devices"
        return reader.names(in: folder).prefix(4_096).map { address in
            func number(_ file: String, digits: Int) -> String {
                String((reader.optionalLine("\(folder)/\(address)/\(file)") ?? "").dropFirst(2).prefix(digits))
            }
            var device = PCIDeviceFacts(
                address: address, classCode: number("class", digits: 4), vendorID: number("vendor", digits: 4),
                deviceID: number("device", digits: 4))
            device.driver = reader.linkName("\(folder)/\(address)/driver")
            device.iommuGroup = reader.linkName("\(folder)/\(address)/iommu_group")
            return device
        }
    }
}
