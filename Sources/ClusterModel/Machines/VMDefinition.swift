import Foundation

/// What a virtual machine is: everything its guest can observe, and nothing about where it runs.
///
/// Two nodes that build the same definition build the same machine, down to PCI addresses; live migration depends on it.
public struct VMDefinition: Hashable, Sendable, Codable {
    public var name: VMName
    /// Shown to the guest as its SMBIOS system UUID, and the key of its ownership record.
    public var id: UUID
    public var memoryMiB: Int
    public var vcpus: Int
    /// A QEMU CPU model, for instance `Nehalem` or `EPYC-Rome`. The same name must be offered by every node the machine moves to.
    public var cpuModel: String
    /// A versioned QEMU machine type, for instance `pc-q35-7.2`. Never an alias such as `q35`, whose meaning moves with QEMU.
    public var machineType: String
    public var firmware: Firmware
    /// In boot order: the first disk is the one firmware tries first.
    public var disks: [VMDisk]
    public var interfaces: [VMInterface]
    /// Whether a VNC display is offered on a Unix socket of the node.
    public var vnc: Bool
    /// What the owner does when the machine's QEMU ends unexpectedly.
    public var onCrash: CrashPolicy

    public init(
        name: VMName, id: UUID, memoryMiB: Int, vcpus: Int, cpuModel: String, machineType: String, firmware: Firmware,
        disks: [VMDisk], interfaces: [VMInterface], vnc: Bool = false, onCrash: CrashPolicy = .restart
    ) {
        self.name = name
        self.id = id
        self.memoryMiB = memoryMiB
        self.vcpus = vcpus
        self.cpuModel = cpuModel
        self.machineType = machineType
        self.firmware = firmware
        self.disks = disks
        self.interfaces = interfaces
        self.vnc = vnc
        self.onCrash = onCrash
    }
}

/// How a machine finds its operating system.
public enum Firmware: Hashable, Sendable, Codable {
    /// SeaBIOS; boots the first disk.
    case bios
    /// OVMF; its variables live in an extent of their own beside the machine's first disk.
    case uefi
    /// A kernel given by the host. The files must exist under the same path on every node.
    case kernel(path: String, initrd: String?, commandLine: String)
}

public enum CrashPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    /// Boot it again on its owner.
    case restart
    /// Leave it stopped for the operator to look at.
    case stop
}

/// A virtual disk; its bytes are one extent of a shared disk.
public struct VMDisk: Hashable, Sendable, Codable {
    /// Unique within the machine; the extent is called `MACHINE/NAME`.
    public var name: String
    /// A multiple of 1 MiB.
    public var byteCount: UInt64
    public init(name: String, byteCount: UInt64) {
        self.name = name
        self.byteCount = byteCount
    }
}

/// A virtual network adapter.
public struct VMInterface: Hashable, Sendable, Codable {
    /// Unique within the machine.
    public var name: String
    public var mac: MACAddress
    /// The bridge of the node that the adapter is plugged into; it must exist under this name on every node.
    public var bridge: String
    public init(name: String, mac: MACAddress, bridge: String) {
        self.name = name
        self.mac = mac
        self.bridge = bridge
    }
}

/// A unicast Ethernet address, written as six colon-separated pairs of hexadecimal digits.
public struct MACAddress: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Exactly six.
    public let bytes: [UInt8]

    /// - Returns: nil unless the text is six two-digit hexadecimal pairs and the group bit is clear (IEEE 802 clause 8.2).
    public init?(_ text: String) {
        let pairs = text.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = pairs.compactMap { pair in pair.utf8.count == 2 ? UInt8(pair, radix: 16) : nil }
        guard pairs.count == 6, bytes.count == 6, bytes[0] & 1 == 0, !text.contains("+") else { return nil }
        self.bytes = bytes
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = MACAddress(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is no unicast MAC address; write it as 52:54:00:12:34:56.")
        }
        self = address
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
    public var description: String {
        bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined(separator: ":")
    }
}
