import ClusterModel
import Foundation
import MigrationRules

let n1 = NodeName(unchecked: "n1")
let n2 = NodeName(unchecked: "n2")
let web = VMName(unchecked: "web")
let disk = DiskID("t10.APUS-CSV1")

func order(
    _ kind: MigrationKind = .live, to destination: NodeName = n2, maxBlackout: Int = 300, autoConverge: Bool = true,
    postCopy: Bool = false
) -> MigrationOrder {
    MigrationOrder(
        vm: web, destination: destination, kind: kind, maxBlackoutMilliseconds: maxBlackout, autoConverge: autoConverge,
        postCopy: postCopy)
}

func machine(memoryMiB: Int = 512) -> VirtualMachine {
    VirtualMachine(
        definition: VMDefinition(
            name: web, id: UUID(uuidString: "8C1B4E0E-0000-4000-8000-000000000001") ?? UUID(), memoryMiB: memoryMiB, vcpus: 1,
            cpuModel: "Nehalem", machineType: "pc-q35-7.2", firmware: .bios,
            disks: [VMDisk(name: "system", byteCount: 128 << 20)],
            interfaces: [VMInterface(name: "lan", mac: MACAddress("52:54:00:01:00:0a") ?? anyMAC, bridge: "br0")]),
        extents: ["system": Extent(disk: disk, byteOffset: 4 << 20, byteCount: 128 << 20)], firmwareVariables: nil,
        ownershipSlot: OwnershipSlot(disk: disk, index: 0))
}

private let anyMAC: MACAddress = {
    guard let address = MACAddress("52:54:00:00:00:01") else { preconditionFailure("a well-formed address") }
    return address
}()

func facts(
    _ node: NodeName, acceleration: Acceleration = .tcg, types: [String] = ["pc-q35-7.2"], cpus: [String] = ["Nehalem"],
    available: Int = 8_192, bridges: [String] = ["br0"], disks: [DiskID] = [disk], acceptsPostCopy: Bool = true
) -> NodeFacts {
    NodeFacts(
        node: node, apusVersion: "0.1", qemuVersion: "7.2.22", acceleration: acceleration, accelerationEvidence: "A guest ran.",
        machineTypes: types, cpuModels: cpus,
        memoryTotalMiB: 16_384, memoryAvailableMiB: available, bridges: bridges, disks: disks, machinesRunning: 0,
        acceptsPostCopy: acceptsPostCopy)
}

func statistics(pass: Int, remaining: UInt64, transferred: UInt64, dirty: UInt64 = 0, throttle: Int = 0) -> TransferStatistics {
    TransferStatistics(
        totalBytes: 512 << 20, transferredBytes: transferred, remainingBytes: remaining, pass: pass, dirtyBytesPerSecond: dirty,
        throttlePercent: throttle)
}

enum UUIDs {
    static func fixed(_ number: UInt8) -> UUID {
        UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number))
    }
    static func fixed(_ number: Int) -> UUID { fixed(UInt8(number)) }
}
