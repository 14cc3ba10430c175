public import ClusterModel
import Foundation

/// What the node adds to a machine's definition so that its QEMU can be started here.
public struct MachineHostSettings: Hashable, Sendable {
    public var acceleration: Acceleration
    public var folder: MachineFolder
    /// How each disk is reached, by ``VMDisk/name``.
    public var attachments: [String: DiskAttachment]
    /// How the UEFI variables are reached; needed with ``Firmware/uefi`` only.
    public var firmwareVariables: DiskAttachment?
    /// The tap of each network adapter, by ``VMInterface/name``.
    public var taps: [String: String]
    /// Whether the machine waits for its memory from another node (`migrate-incoming` tells it from where).
    public var isIncoming: Bool
    public var uefi: UEFIFirmware

    public init(
        acceleration: Acceleration, folder: MachineFolder, attachments: [String: DiskAttachment], firmwareVariables: DiskAttachment? = nil,
        taps: [String: String], isIncoming: Bool, uefi: UEFIFirmware = UEFIFirmware()
    ) {
        self.acceleration = acceleration
        self.folder = folder
        self.attachments = attachments
        self.firmwareVariables = firmwareVariables
        self.taps = taps
        self.isIncoming = isIncoming
        self.uefi = uefi
    }
}

/// OVMF without Secure Boot, as Debian's package `ovmf` installs it.
public struct UEFIFirmware: Hashable, Sendable {
    /// The firmware's code; read-only, the same for all machines.
    public var codePath: String
    /// What a new machine's variables are copied from, ``variablesByteCount`` bytes.
    public var variablesTemplatePath: String
    /// The size of the second flash chip. OVMF finds its variables only if it is exactly this.
    public var variablesByteCount: UInt64
    public init(
        codePath: String = "/usr/share/OVMF/OVMF_CODE_4M.fd", variablesTemplatePath: String = "/usr/share/OVMF/OVMF_VARS_4M.fd",
        variablesByteCount: UInt64 = 540_672
    ) {
        self.codePath = codePath
        self.variablesTemplatePath = variablesTemplatePath
        self.variablesByteCount = variablesByteCount
    }
}

/// Why no command line can be built. Nothing was started.
public enum CommandLineError: Error, Hashable, Sendable, CustomStringConvertible {
    case noAttachment(VMName, disk: String)
    case noTap(VMName, interface: String)
    case noFirmwareVariables(VMName)
    /// unix(7): 107 bytes and a terminating zero.
    case socketPathTooLong(String)

    public var description: String {
        switch self {
        case .noAttachment(let vm, let disk):
            "Disk \(disk) of \(vm) has no extent that this node can reach. Look at `apus disk list`."
        case .noTap(let vm, let interface): "Network adapter \(interface) of \(vm) has no tap device on this node."
        case .noFirmwareVariables(let vm): "\(vm) uses UEFI but has no extent for its variables. Delete and create it again."
        case .socketPathTooLong(let path):
            "\(path) is longer than the 107 bytes that a Unix socket's path may have. Use a shorter runtime directory."
        }
    }
}

/// The arguments that make QEMU build exactly the machine of a definition, and the secrets it reads from files.
///
/// Pure: the same machine and settings give the same text. Everything the guest can observe comes from the definition; settings choose
/// only what lies behind it. Secrets are never among the arguments, which any user of the node can read (proc(5), `cmdline`).
public struct QEMUCommandLine: Hashable, Sendable {
    /// Without the program itself.
    public var arguments: [String]
    /// Files in the machine's folder that must exist when QEMU starts, by name, with their contents.
    public var secrets: [String: String]

    public init(_ machine: VirtualMachine, on host: MachineHostSettings) throws(CommandLineError) {
        let builder = try Builder(machine, host)
        arguments = builder.arguments
        secrets = builder.secrets
    }
}

/// Collects arguments in a fixed order: the machine, what it stands on, then its devices.
private struct Builder {
    private let definition: VMDefinition
    private let host: MachineHostSettings
    private let layout: PCILayout
    private(set) var arguments: [String] = []
    private(set) var secrets: [String: String] = [:]

    init(_ machine: VirtualMachine, _ host: MachineHostSettings) throws(CommandLineError) {
        definition = machine.definition
        self.host = host
        layout = PCILayout(machineType: definition.machineType)
        try addMonitors()
        try addFirmware()
        addMachine()
        addConsole()
        add(device: ["driver": "virtio-rng-pci", "id": "rng0", "rng": "entropy"], at: layout.randomNumbers)
        for (index, interface) in definition.interfaces.enumerated() { try add(interface, index) }
        for (index, disk) in definition.disks.enumerated() { try add(disk, index) }
        // Nothing runs before the node service says `cont`, also not when a migration has come in: ownership is settled first.
        add("-S")
        if host.isIncoming { add("-incoming", "defer") }
    }

    // MARK: The process

    /// Two monitors: a second client on one socket waits for ever, and events must be heard while a command runs.
    private mutating func addMonitors() throws(CommandLineError) {
        // Nothing but what is asked for, neither devices nor configuration files of the host.
        add("-nodefaults", "-no-user-config")
        add("-name", keyvalText(definition.name.rawValue) + ",debug-threads=on", "-uuid", definition.id.uuidString.lowercased())
        add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
        add("-msg", "timestamp=on")
        // A guest that switches itself off leaves a QEMU that says so. Without this, nobody could tell it from a crash afterwards.
        add("-no-shutdown")
        for (name, path) in [("control", host.folder.controlSocket), ("events", host.folder.eventSocket)] {
            add(
                "-chardev", "socket,id=\(name),path=\(keyvalText(try socket(path))),server=on,wait=off", "-mon",
                "chardev=\(name),mode=control")
        }
    }

    private func socket(_ path: String) throws(CommandLineError) -> String {
        guard path.utf8.count <= 107 else { throw .socketPathTooLong(path) }
        return path
    }

    // MARK: Board, processors, memory

    private mutating func addMachine() {
        var board = keyvalText(definition.machineType) + ",memory-backend=pc.ram,dump-guest-core=off,usb=off,vmport=off,smm=off"
        if definition.firmware == .uefi { board += ",pflash0=firmware-code,pflash1=firmware-variables" }
        add("-machine", board)
        // 256 MiB of translated code is plenty for one guest; QEMU would take up to 1 GiB.
        add("-accel", host.acceleration == .kvm ? "kvm" : "tcg,thread=multi,tb-size=256")
        // `enforce`: a host that lacks a feature of the model refuses, instead of quietly building another processor.
        add("-cpu", keyvalText(definition.cpuModel) + ",enforce")
        add("-smp", "cpus=\(definition.vcpus),sockets=1,cores=\(definition.vcpus),threads=1")
        let memory = GuestMemory(mebibytes: definition.memoryMiB, acceleration: host.acceleration)
        add("-m", "size=\(memory.text)")
        // Private anonymous memory gets huge pages, and reading what was never written costs none: a pass over empty memory takes
        // no memory. With memfd the same pass would allocate every page. The name is the one QEMU itself gives, so that streams of
        // machines that were started without a backend fit too.
        add(object: ["qom-type": "memory-backend-ram", "id": "pc.ram", "size": .number(memory.byteCount)])
        add("-rtc", "base=utc", "-boot", "strict=on,menu=off")
    }

    private mutating func addFirmware() throws(CommandLineError) {
        switch definition.firmware {
        case .bios: break
        case .uefi:
            guard let variables = host.firmwareVariables else { throw .noFirmwareVariables(definition.name) }
            add(blockNode: ["driver": "file", "node-name": "firmware-code-file", "filename": .text(host.uefi.codePath), "read-only": true])
            add(blockNode: ["driver": "raw", "node-name": "firmware-code", "file": "firmware-code-file", "read-only": true])
            // The extent is rounded up to whole MiB; the flash chip is not.
            add(variables, node: "firmware-variables", byteCount: host.uefi.variablesByteCount)
        case .kernel(let path, let initrd, let commandLine):
            // Each of these takes its argument as it stands, commas and all.
            add("-kernel", path)
            if let initrd { add("-initrd", initrd) }
            if !commandLine.isEmpty { add("-append", commandLine) }
        }
    }

    // MARK: Devices

    private mutating func addConsole() {
        let folder = host.folder
        add("-object", OptionValue(dictionaryLiteral: ("qom-type", "rng-builtin"), ("id", "entropy")).json)
        // What the guest prints is kept in the log whether or not somebody is connected.
        add(
            "-chardev",
            "socket,id=serial0,path=\(keyvalText(folder.serialSocket)),server=on,wait=off,"
                + "logfile=\(keyvalText(folder.serialLog)),logappend=on")
        add("-device", OptionValue(dictionaryLiteral: ("driver", "isa-serial"), ("id", "com1"), ("chardev", "serial0"), ("index", 0)).json)
        if definition.vnc {
            add("-vnc", "unix:" + keyvalText(folder.vncSocket))
            add(device: ["driver": "VGA", "id": "vga"], at: layout.display)
        } else {
            add("-display", "none")
        }
    }

    private mutating func add(_ interface: VMInterface, _ index: Int) throws(CommandLineError) {
        guard let tap = host.taps[interface.name] else { throw .noTap(definition.name, interface: interface.name) }
        let options: OptionValue = [
            "type": "tap", "id": .text("tap\(index)"), "ifname": .text(tap), "script": "no", "downscript": "no", "vnet_hdr": true,
            "vhost": false,
        ]
        add("-netdev", options.json)
        // No boot ROM: its size would be part of the machine, and it changes with the package that brings it.
        // No VLAN filter in the device: QEMU clears its table when a migration loads the features after it (virtio_load calls
        // set_features last), and the guest would get no tagged frame until it makes its VLAN interfaces again. The bridge filters.
        add(
            device: [
                "driver": "virtio-net-pci", "id": .text("net\(index)"), "netdev": .text("tap\(index)"),
                "mac": .text(interface.mac.description), "romfile": "", "ctrl_vlan": false,
            ], at: layout.interface(index))
    }

    private mutating func add(_ disk: VMDisk, _ index: Int) throws(CommandLineError) {
        guard let attachment = host.attachments[disk.name] else { throw .noAttachment(definition.name, disk: disk.name) }
        let node = "disk\(index)"
        add(attachment, node: node)
        // A full or fenced disk pauses the guest with its request kept, which `cont` repeats; the guest never sees an error.
        add(
            device: [
                "driver": "virtio-blk-pci", "id": .text(node), "drive": .text(node), "serial": .text(disk.name),
                "bootindex": .number(UInt64(index + 1)), "werror": "stop", "rerror": "stop",
            ], at: layout.disk(index))
    }

    private mutating func add(_ attachment: DiskAttachment, node: String, byteCount: UInt64? = nil) {
        var secretID: String?
        if let secret = attachment.secret {
            let id = node + "-secret"
            secrets[id] = secret
            add(object: ["qom-type": "secret", "id": .text(id), "file": .text(host.folder.file(id))])
            secretID = id
        }
        for options in attachment.blockNodes(node: node, secretID: secretID, byteCount: byteCount) { add(blockNode: options) }
    }

    // MARK: Arguments

    private mutating func add(_ arguments: String...) { self.arguments += arguments }
    private mutating func add(object: OptionValue) { add("-object", object.json) }
    private mutating func add(blockNode: OptionValue) { add("-blockdev", blockNode.json) }
    private mutating func add(device: OptionValue, at place: PCILayout.Place) {
        if let port = place.rootPort { add("-device", port.json) }
        add("-device", device.adding("bus", .text(place.bus)).adding("addr", .text(place.address)).json)
    }
}
