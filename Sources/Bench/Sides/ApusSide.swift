import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient

/// Apus in a lab: two nodes with `apusd`, machines on the SAN, memory over mutual TLS.
struct ApusSide: Side {
    static let prefix = "bapus"
    let lab: Lab
    let guest: LabGuest
    /// The command line tool that is measured.
    let command: String
    /// What the operator allows a live migration besides.
    var allowances: [String] = []
    var name: String { "apus \(ApusVersion.current)" }

    /// Builds the lab and makes the first volume.
    static func up(_ tools: LabTools) async throws -> ApusSide {
        let command = (tools.apusd as NSString).deletingLastPathComponent + "/apus"
        guard access(command, X_OK) == 0 else { throw BenchError("\(command) is missing; `make bench` builds it.") }
        let guest = try await LabGuest.build(tools)
        let lab = try await LabBuilder(LabDescription(prefix: prefix), tools: tools, nodes: .fixed).up()
        let side = ApusSide(lab: lab, guest: guest, command: command)
        try await lab.makeVolume()
        return side
    }

    /// A node's operations, for everything that is not measured.
    func client(_ node: String) throws -> NodeClient { NodeClient(socketPath: try lab.node(node).apiSocket) }

    func definition(_ name: String, _ shape: GuestShape, mac: String = GuestShape.mac) throws -> VMDefinition {
        guard let address = MACAddress(mac) else { throw BenchError("\(mac) is no MAC address.") }
        return VMDefinition(
            name: try VMName(name), id: UUID(), memoryMiB: shape.memoryMiB, vcpus: 1, cpuModel: GuestShape.cpuModel,
            machineType: GuestShape.machineType,
            firmware: .kernel(path: guest.kernel, initrd: guest.initrd, commandLine: LabGuest.commandLine(options: shape.options)),
            disks: [VMDisk(name: "root", byteCount: UInt64(GuestShape.diskMiB) << 20)],
            interfaces: [VMInterface(name: "net0", mac: address, bridge: "br0")])
    }

    func boot(_ shape: GuestShape) async throws {
        let client = try client("n1")
        let definition = try definition(GuestShape.name, shape)
        _ = try await client.createMachine(CreateMachineRequest(definition: definition))
        _ = try await client.startMachine(definition.name)
        try await waitForConsole(lab.node("n1").runtimeFolder + "/machines/\(GuestShape.name)/serial.log", toSay: shape.readySign)
    }

    func move() async throws -> Move { try await move(from: "n1", to: "n2", allowances) }

    func move(from source: String, to destination: String, _ options: [String]) async throws -> Move {
        let words = [command, "vm", "migrate", GuestShape.name, "--to", destination, "--json"] + options
        let start = ContinuousClock.now
        let result = try await lab.node(source).exec(words, seconds: 120)
        let took = ContinuousClock.now - start
        guard result.isSuccess else { throw BenchError("apus vm migrate failed: \(result.errors)\(result.output.suffix(2_000))") }
        let status: MigrationStatus
        do { status = try APICoding.decoder.decode(MigrationStatus.self, from: Data(result.output.utf8)) } catch {
            throw BenchError("apus vm migrate printed something else than expected: \(result.output.prefix(300)) (\(error))")
        }
        return Move(
            seconds: took / .seconds(1), blackoutMilliseconds: status.record?.blackoutMilliseconds,
            transferredBytes: status.record?.transferredBytes)
    }

    func remove() async throws {
        let client = try client("n1")
        let name = try VMName(GuestShape.name)
        _ = try await client.stopMachine(name, force: true)
        try await client.deleteMachine(name)
    }

    func startTraffic() async throws -> Traffic { try Traffic(from: lab) }
}
