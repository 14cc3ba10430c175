public import ClusterModel

/// What a definition must keep to, whatever way it came: a file, the HTTP interface, an import.
///
/// The limits are those that the machine is built for (`Docs/machine-definition.md`): each disk and adapter has a PCI
/// address of its own, kept free for it, and each name must fit where it will be written.
public enum DefinitionRules {
    /// 16 MiB lets a firmware start. QEMU gives a guest 40 bits of physical addresses unless told otherwise, and of this TiB both boards
    /// keep some 32 GiB for devices: QEMU 7.2 refuses 1,016 GiB on Q35 ("phys-bits too low") and takes 960 GiB on both.
    public static let memoryMiB = 16...983_040
    public static let vcpus = 1...64
    public static let maximumDisks = 16
    public static let maximumInterfaces = 8
    /// Up to 64 TiB: beyond it no array of this class offers a logical unit.
    public static let diskMiB: ClosedRange<UInt64> = 1...67_108_864
    /// `VIRTIO_BLK_ID_BYTES` (virtio 1.1 section 5.2.6): the guest sees the name as the disk's serial number.
    public static let maximumDiskNameLength = 20
    /// UEFI 2.9 section 5.3.3: 36 UTF-16 code units name a partition; extents are called `MACHINE/DISK`.
    public static let maximumExtentNameLength = 36
    /// `IFNAMSIZ - 1` (linux/if.h).
    public static let maximumBridgeNameLength = 15
    /// `COMMAND_LINE_SIZE - 1` of Linux on x86.
    public static let maximumCommandLineLength = 2_047
    /// `PATH_MAX - 1` (linux/limits.h).
    public static let maximumPathLength = 4_095
    /// The extent of a UEFI machine's variables; no disk may take its place.
    public static let firmwareVariablesName = "uefi-variables"

    /// - Throws: every breach, with the path of its field.
    public static func check(_ definition: VMDefinition) throws(DefinitionErrors) {
        let problems = problems(in: definition)
        if !problems.isEmpty { throw DefinitionErrors(problems) }
    }

    /// - Returns: every breach, with the path of its field; empty for a definition that can be built.
    public static func problems(in definition: VMDefinition) -> [DefinitionProblem] {
        var found = Findings()
        found.add("memory", memoryProblem(definition.memoryMiB))
        found.add("vcpus", vcpus.contains(definition.vcpus) ? nil : "\(definition.vcpus) vCPUs; use 1 to 64.")
        found.add("cpu", cpuProblem(definition.cpuModel))
        found.add("machine", machineTypeProblem(definition.machineType))
        firmwareProblems(definition.firmware, into: &found)
        diskProblems(definition, into: &found)
        interfaceProblems(definition.interfaces, into: &found)
        return found.problems
    }

    private static func memoryProblem(_ memory: Int) -> String? {
        memoryMiB.contains(memory) ? nil : "\(memory) MiB of memory; use 16 MiB to 960 GiB."
    }

    private static func cpuProblem(_ model: String) -> String? {
        let hint = "Use a model that `qemu-system-x86_64 -cpu help` lists, for instance Nehalem, or the baseline x86-64-v2."
        if ["host", "max"].contains(model) {
            return "\"\(model)\" is whatever the host has, so the machine could not move to another one. \(hint)"
        }
        guard isWord(model, extra: "-._", maximumLength: 40) else {
            return "\(quoted(model)) is no CPU model; features cannot be added to a model here. \(hint)"
        }
        return nil
    }

    private static func machineTypeProblem(_ type: String) -> String? {
        let hint = "Use a versioned type, for instance pc-q35-7.2 or pc-i440fx-7.2; `qemu-system-x86_64 -machine help` lists them."
        if ["q35", "pc"].contains(type) {
            return "\"\(type)\" is an alias whose meaning changes with QEMU, so two nodes could build different machines. \(hint)"
        }
        let version = ["pc-q35-", "pc-i440fx-"].compactMap { type.hasPrefix($0) ? type.dropFirst($0.count) : nil }.first
        let parts = version?.split(separator: ".", omittingEmptySubsequences: false) ?? []
        let isVersion =
            (2...3).contains(parts.count)
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            }
        return isVersion ? nil : "\(quoted(type)) is no machine type. \(hint)"
    }

    private static func firmwareProblems(_ firmware: Firmware, into found: inout Findings) {
        guard case .kernel(let path, let initrd, let commandLine) = firmware else { return }
        found.add("firmware.kernel", pathProblem(path))
        if let initrd { found.add("firmware.initrd", pathProblem(initrd)) }
        if commandLine.utf8.count > maximumCommandLineLength {
            found.add("firmware.commandLine", "\(commandLine.utf8.count) bytes; Linux takes at most \(maximumCommandLineLength).")
        } else if hasControlCharacters(commandLine) {
            found.add("firmware.commandLine", "contains a control character; use one line of printable text.")
        }
    }

    private static func pathProblem(_ path: String) -> String? {
        if !path.hasPrefix("/") { return "\(quoted(path)) is no absolute path; it must start with / and exist on every node." }
        if path.utf8.count > maximumPathLength { return "is longer than \(maximumPathLength) bytes." }
        return hasControlCharacters(path) ? "contains a control character; use a path of printable text." : nil
    }

    private static func diskProblems(_ definition: VMDefinition, into found: inout Findings) {
        if definition.disks.count > maximumDisks {
            found.add("disks", "\(definition.disks.count) disks; a machine has at most \(maximumDisks).")
        }
        var names: Set<String> = []
        for (index, disk) in definition.disks.prefix(maximumDisks).enumerated() {
            let field = "disks[\(index)]"
            found.add(field + ".name", labelProblem(disk.name, noun: "disk name", maximumLength: maximumDiskNameLength))
            if !names.insert(disk.name).inserted {
                found.add(field + ".name", "\(quoted(disk.name)) names two disks; give each a name of its own.")
            }
            if disk.name == firmwareVariablesName {
                found.add(field + ".name", "\"\(disk.name)\" is kept for the extent of UEFI variables; choose another name.")
            }
            let extentName = definition.name.rawValue + "/" + disk.name
            if extentName.utf8.count > maximumExtentNameLength, disk.name.utf8.count <= maximumDiskNameLength {
                found.add(
                    field + ".name",
                    "\(quoted(extentName)) has \(extentName.utf8.count) characters; the name of an extent, MACHINE/DISK, "
                        + "has at most \(maximumExtentNameLength) because it stands in a partition table. Shorten one of them.")
            }
            if disk.byteCount % (1 << 20) != 0 || !diskMiB.contains(disk.byteCount >> 20) {
                found.add(field + ".size", "\(disk.byteCount) bytes; use whole MiB from 1 MiB to 64 TiB.")
            }
        }
        let variablesName = definition.name.rawValue + "/" + firmwareVariablesName
        if definition.firmware == .uefi, variablesName.utf8.count > maximumExtentNameLength {
            found.add(
                "name",
                "is too long for a UEFI machine: its variables lie in an extent called \(quoted(variablesName)), "
                    + "and such names have at most \(maximumExtentNameLength) characters.")
        }
    }

    private static func interfaceProblems(_ interfaces: [VMInterface], into found: inout Findings) {
        if interfaces.count > maximumInterfaces {
            found.add("networks", "\(interfaces.count) network adapters; a machine has at most \(maximumInterfaces).")
        }
        var names: Set<String> = []
        var addresses: Set<MACAddress> = []
        for (index, interface) in interfaces.prefix(maximumInterfaces).enumerated() {
            let field = "networks[\(index)]"
            found.add(field + ".name", labelProblem(interface.name, noun: "network adapter name", maximumLength: 15))
            let isNewName = names.insert(interface.name).inserted
            if !isNewName {
                found.add(field + ".name", "\(quoted(interface.name)) names two network adapters; give each a name of its own.")
            }
            if interface.mac.bytes.allSatisfy({ $0 == 0 }) {
                found.add(field + ".mac", "00:00:00:00:00:00 is no address; leave the field out to have one derived.")
            } else if !addresses.insert(interface.mac).inserted, isNewName {  // two of one name derive one address: said already
                found.add(field + ".mac", "\(interface.mac) is given twice; each adapter needs its own.")
            }
            let bridge = interface.bridge
            if !isWord(bridge, extra: "-._", maximumLength: maximumBridgeNameLength) {
                found.add(
                    field + ".bridge",
                    "\(quoted(bridge)) is no bridge name; use 1 to 15 letters, digits, hyphens, dots and underscores, "
                        + "starting with a letter or digit.")
            }
        }
    }

    /// The rules of a DNS label, as for all names an operator gives, and a length of its own.
    private static func labelProblem(_ text: String, noun: String, maximumLength: Int) -> String? {
        let isLabel = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "-")
        }
        if isLabel, (1...maximumLength).contains(text.utf8.count), text.first != "-", text.last != "-" { return nil }
        return "\(quoted(text)) is no \(noun): use 1 to \(maximumLength) lower-case letters, digits and hyphens, "
            + "starting and ending with a letter or digit."
    }

    /// ASCII letters and digits, then also `extra`: nothing that could end a QEMU option or start a new one.
    private static func isWord(_ text: String, extra: String, maximumLength: Int) -> Bool {
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard (1...maximumLength).contains(text.utf8.count), let first = text.utf8.first, isLetterOrDigit(first) else { return false }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || extra.utf8.contains($0) }
    }

    private static func hasControlCharacters(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}

private struct Findings {
    var problems: [DefinitionProblem] = []
    mutating func add(_ field: String, _ message: String?) {
        if let message { problems.append(DefinitionProblem(field: field, message: message)) }
    }
}
