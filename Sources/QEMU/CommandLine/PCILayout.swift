/// Where each device sits on the machine's PCI bus: fixed by the kind of device and its place in the definition, so both ends of a
/// migration agree, and a disk or adapter added at the end of its list moves no other.
///
/// On Q35 every disk and adapter is behind a PCI Express root port of its own, as QEMU's docs/pcie.txt recommends: only there can it
/// later be plugged in and out while the guest runs. On i440FX all sit on the one bus, which can be hot-plugged itself.
/// Slot 0 is the host bridge; slot 1 of i440FX and slot 31 of Q35 are the chipset's.
enum PCILayout {
    case q35
    case i440FX

    init(machineType: String) { self = machineType.hasPrefix("pc-i440fx-") ? .i440FX : .q35 }

    /// A device's `bus` and `addr`, and the root port that must exist for it.
    struct Place: Hashable, Sendable {
        var bus: String
        var address: String
        var rootPort: OptionValue?
    }

    func interface(_ index: Int) -> Place {
        switch self {
        case .q35: Self.behindPort("port-net\(index)", slot: 0x02, function: index, chassis: 1 + index)
        case .i440FX: Place(bus: "pci.0", address: Self.hexadecimal(0x04 + index))
        }
    }

    func disk(_ index: Int) -> Place {
        switch self {
        case .q35: Self.behindPort("port-disk\(index)", slot: 0x03 + index / 8, function: index % 8, chassis: 16 + index)
        case .i440FX: Place(bus: "pci.0", address: Self.hexadecimal(0x0c + index))
        }
    }

    var randomNumbers: Place {
        switch self {
        case .q35: Self.behindPort("port-rng", slot: 0x05, function: 0, chassis: 32)
        case .i440FX: Place(bus: "pci.0", address: "0x3")
        }
    }

    var display: Place {
        switch self {
        case .q35: Place(bus: "pcie.0", address: "0x1")
        case .i440FX: Place(bus: "pci.0", address: "0x2")
        }
    }

    /// Eight ports share a slot. `multifunction` is set on all, so that function 0 says so whichever others follow.
    private static func behindPort(_ name: String, slot: Int, function: Int, chassis: Int) -> Place {
        let port: OptionValue = [
            "driver": "pcie-root-port", "id": .text(name), "bus": "pcie.0", "addr": .text(hexadecimal(slot) + "." + hexadecimal(function)),
            "multifunction": true, "chassis": .number(UInt64(chassis)),
        ]
        return Place(bus: name, address: "0x0", rootPort: port)
    }

    private static func hexadecimal(_ number: Int) -> String { "0x" + String(number, radix: 16) }
}
