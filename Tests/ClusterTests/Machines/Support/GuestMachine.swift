import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

/// A virtual machine of the cluster, with a guest that writes a journal to its disk, and what the tests do to it and want to know of it.
struct GuestMachine: Sendable {
    /// In the lab's clusters; small rings, so that reading one takes no time.
    static let journalByteCount: UInt64 = 4 << 20
    /// As the nodes see it, also after they were off.
    static let image = "/var/lib/apus/guest.img"

    let stage: ClusterStage
    let name: VMName
    let id = UUID()
    let mac: String
    let onCrash: CrashPolicy

    /// - Parameter number: 1 to 9; makes its name and its addresses.
    init(_ stage: ClusterStage, number: Int, onCrash: CrashPolicy = .restart) {
        self.stage = stage
        name = VMName(unchecked: "web\(number)")
        mac = "52:54:00:00:00:0\(number)"
        self.onCrash = onCrash
    }

    /// Builds the guest's image and a volume for machines. Once for each lab.
    static func prepare(_ stage: ClusterStage) async throws {
        let journal = "apus.journal=10:/dev/vda:\(LabGuest.journalOffset):\(journalByteCount)"
        for node in ClusterStage.nodes {
            try await stage.lab.guest().makeImage(at: stage.node(node).stateFolder + "/guest.img", options: [journal])
        }
        try await stage.lab.makeVolume()
    }

    /// Each operation may take as long as an operator would wait.
    func client(_ node: NodeName) throws -> NodeClient { try stage.client(of: node).waiting(.seconds(60)) }

    func create(on node: NodeName = ClusterStage.n1) async throws {
        let definition = VMDefinition(
            name: name, id: id, memoryMiB: 256, vcpus: 1, cpuModel: "Nehalem", machineType: "pc-q35-7.2", firmware: .bios,
            disks: [VMDisk(name: "root", byteCount: 64 << 20)],
            interfaces: [VMInterface(name: "net0", mac: try #require(MACAddress(mac)), bridge: "br0")], onCrash: onCrash)
        _ = try await client(node).createMachine(CreateMachineRequest(definition: definition, image: Self.image))
    }

    func delete() async throws {
        try await stage.settle()
        let place = try await client(ClusterStage.n1).machine(name)
        if place.state != .stopped { _ = try await client(ClusterStage.n1).stopMachine(name, force: true) }
        try await client(ClusterStage.n1).deleteMachine(name)
    }

    // MARK: Looking

    /// What a node shows of it; nil when its service does not answer, or shows no such machine.
    func seen(from node: NodeName) async -> VMStatus? {
        let all = try? await stage.client(of: node).waiting(.seconds(5)).machines()
        return all?.first { $0.machine.name == name }
    }

    /// Its QEMU processes on a node.
    func processes(on node: NodeName) throws -> [Int32] { try stage.node(node).processes(of: id) }
    func folder(on node: NodeName) throws -> String { try stage.node(node).folder(of: name) }

    /// Where it runs when all is at rest: both nodes agree on owner and epoch, one QEMU is there, on the owner, and no migration goes on.
    private func restingPlace() async throws -> (node: NodeName, epoch: UInt64)? {
        guard let first = await seen(from: ClusterStage.n1), let second = await seen(from: ClusterStage.n2),
            let owner = first.owner, second.owner == owner, first.epoch == second.epoch, first.state == .running, second.state == .running,
            try processes(on: owner).count == 1, try processes(on: other(owner)).isEmpty
        else { return nil }
        for node in ClusterStage.nodes {
            guard let all = try? await stage.client(of: node).ownMigrations(), all.allSatisfy({ $0.record != nil }) else { return nil }
        }
        return (owner, first.epoch)
    }

    /// Waits until it is at rest in a whole cluster.
    func settle(within seconds: Double = 60) async throws -> (node: NodeName, epoch: UInt64) {
        var place: (node: NodeName, epoch: UInt64)?
        let isSettled = try await eventually(within: seconds) {
            place = try await restingPlace()
            return place != nil
        }
        if !isSettled { throw Unexpected("It does not come to rest: \(await story())") }
        return try #require(place)
    }

    /// What the nodes say of it, for the message of a test that fails.
    func story() async -> String {
        var parts: [String] = []
        for node in ClusterStage.nodes {
            let status = await seen(from: node)
            let processes = (try? processes(on: node)) ?? []
            let words = status.map { "\($0.state.rawValue) on \($0.owner?.rawValue ?? "-") epoch \($0.epoch) \($0.note ?? "")" }
            parts.append("\(node) says \(words ?? "nothing"), has QEMU \(processes)")
        }
        return parts.joined(separator: "; ")
    }

    // MARK: Acting

    /// Sees to it that it runs on a node of a whole cluster, whatever the test before left.
    func bring(to node: NodeName) async throws {
        try await stage.settle()
        if await seen(from: node)?.state == .stopped { _ = try await client(node).startMachine(name) }
        guard try await settle().node != node else { return }
        let record = try await record(of: start(to: node), on: other(node))
        try #require(record.outcome == .completed, "\(record.message)")
        _ = try await settle()
    }

    func start(to node: NodeName, _ kind: MigrationKind = .live, bandwidth: UInt64? = nil) async throws -> MigrationStatus {
        try await client(other(node)).startMigration(
            MigrationOrder(
                vm: name, destination: node, kind: kind, maxBlackoutMilliseconds: 1_000, bandwidthBitsPerSecond: bandwidth))
    }

    /// Waits for what the source says at the end.
    func record(of migration: MigrationStatus, on node: NodeName, within seconds: Double = 60) async throws -> MigrationRecord {
        var record: MigrationRecord?
        let hasEnded = try await eventually(within: seconds) {
            record = try? await stage.client(of: node).ownMigrations().first { $0.id == migration.id }?.record
            return record != nil
        }
        if !hasEnded { throw Unexpected("The migration does not end. \(await story())") }
        return try #require(record)
    }

    /// Starts a migration and returns when it is held in this phase.
    func hold(_ phase: HeldMoment, movingTo node: NodeName) async throws -> (migration: MigrationStatus, held: HeldPhase) {
        let held = try stage.node(other(node)).hold(phase.rawValue)
        let migration = try await start(to: node)
        var last: MigrationStatus?
        let isThere = try await eventually(within: 40, every: 5) {
            last = try? await stage.client(of: other(node)).ownMigrations().first { $0.id == migration.id }
            return last?.progress.phase == phase.phase || last?.record != nil
        }
        try #require(isThere && last?.progress.phase == phase.phase, "It is not \(phase): \(String(describing: last))")
        return (migration, held)
    }

    // MARK: Its disk

    /// Waits until its guest has booted: on a machine with much else to do that takes a minute.
    func waitForGuest() async throws {
        let writes = try await eventually(within: 120, every: 500) { try await journal().records > 0 }
        if !writes { throw Unexpected("Its guest does not write. \(await story())") }
    }

    /// Reads the guest's journal on the SAN at one moment.
    func journal() async throws -> JournalReport {
        let client = try client(ClusterStage.n1)
        let extent = try #require(try await client.machine(name).machine.extents["root"])
        let lun = try #require(try await client.disks().first { $0.id == extent.disk }?.lun)
        let copy = try stage.lab.scratchFolder() + "/journal"
        // A guest that writes while it is read would look as if records were missing.
        let stopped = try ClusterStage.nodes.flatMap { try processes(on: $0) }
        for process in stopped { kill(process, SIGSTOP) }
        defer { for process in stopped { kill(process, SIGCONT) } }
        try await Task.sleep(for: .milliseconds(20))
        let file = try #require(FileHandle(forReadingAtPath: stage.lab.backingFile(lun: lun)))
        try file.seek(toOffset: extent.byteOffset + LabGuest.journalOffset)
        let bytes = try #require(try file.read(upToCount: Int(Self.journalByteCount)))
        for process in stopped { kill(process, SIGCONT) }
        try bytes.write(to: URL(filePath: copy))
        return try await stage.lab.journalReport(copy, offset: 0, byteCount: Self.journalByteCount)
    }
}

/// The moments around the commit at which a migration can be held.
enum HeldMoment: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case preSwitchover = "pre-switchover"
    case committing, resuming

    var testDescription: String { rawValue }
    var phase: MigrationPhase {
        switch self {
        case .preSwitchover: .preSwitchover
        case .committing: .committing
        case .resuming: .resuming
        }
    }
}
