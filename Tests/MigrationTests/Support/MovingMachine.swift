import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

/// A virtual machine of the lab, with what the tests do to it and want to know of it.
struct MovingMachine: Sendable {
    let lab: Lab
    let clients: [NodeName: NodeClient]
    let name: VMName
    let id: UUID
    let mac: String
    let address: (v4: String, v6: String)
    var memoryMiB = 256
    var onCrash = CrashPolicy.restart
    /// What is special about it.
    var change: @Sendable (inout VMDefinition) -> Void = { _ in }

    /// - Parameter number: 1 to 99; makes its name and its addresses.
    init(lab: Lab, clients: [NodeName: NodeClient], number: Int, memoryMiB: Int = 256, onCrash: CrashPolicy = .restart) {
        self.lab = lab
        self.clients = clients
        name = VMName(unchecked: "web\(number)")
        id = UUID()
        mac = "52:54:00:77:01:" + (number < 10 ? "0" : "") + "\(number)"
        address = LabGuest.addresses(mac: mac) ?? ("", "")
        self.memoryMiB = memoryMiB
        self.onCrash = onCrash
    }

    var definition: VMDefinition {
        get throws {
            var definition = VMDefinition(
                name: name, id: id, memoryMiB: memoryMiB, vcpus: 1, cpuModel: "Nehalem", machineType: "pc-q35-7.2", firmware: .bios,
                disks: [VMDisk(name: "root", byteCount: 64 << 20)],
                interfaces: [VMInterface(name: "net0", mac: try #require(MACAddress(mac)), bridge: "br0")], onCrash: onCrash)
            change(&definition)
            return definition
        }
    }

    func client(_ node: NodeName = Stage.n1) throws -> NodeClient { try #require(clients[node]) }

    func create(image: String = Stage.image) async throws {
        _ = try await client().createMachine(CreateMachineRequest(definition: definition, image: image))
    }

    /// How long a guest may take to boot on a machine that has a lot else to do; it takes about 4 s.
    static let bootSeconds = 90.0

    /// Runs a test with it, created and booted. It is gone afterwards, whatever happened.
    func whileThere(image: String = Stage.image, _ body: () async throws -> Void) async throws {
        try await create(image: image)
        do {
            _ = try await client().startMachine(name)
            _ = try await settle(within: Self.bootSeconds)
            try await body()
        } catch {
            try? await delete()
            throw error
        }
        try await delete()
    }

    func delete() async throws {
        if try await client().machine(name).state != .stopped { _ = try await client().stopMachine(name, force: true) }
        try await client().deleteMachine(name)
    }

    // MARK: Looking

    /// What the node says of it by itself; nil when it neither owns nor receives it, or does not answer.
    func status(on node: NodeName) async -> VMStatus? {
        guard let client = clients[node], let all = try? await client.waiting(.seconds(3)).ownMachines() else { return nil }
        return all.first { $0.machine.name == name }
    }

    /// Its QEMU processes on a node, alive or stopped by a signal.
    func processes(on node: NodeName) throws -> [Int32] { try lab.node(node.rawValue).processes(of: id) }

    func folder(on node: NodeName) throws -> String { try lab.node(node.rawValue).folder(of: name) }

    /// Whether its guest answers a peer, at its IPv4 address unless told otherwise.
    func answers(at address: String? = nil, within seconds: Double = 0.3) async throws -> Bool {
        let words = [
            lab.tools.client, "udp", address ?? self.address.v4, "--seconds", "0.05", "--interval-ms", "10", "--linger-ms",
            "\(seconds * 1_000)",
        ]
        let result = try await lab.client.exec(words)
        guard result.isSuccess else { return false }
        return try JSONDecoder().decode(CounterReport.self, from: Data(result.output.utf8)).answered > 0
    }

    /// Where it runs, when all is at rest: one QEMU over all nodes, the node that runs it is the one that the record names, and its
    /// guest answers. nil otherwise.
    func restingPlace() async throws -> (node: NodeName, epoch: UInt64)? {
        var place: (NodeName, UInt64)?
        for node in Stage.nodes {
            let processes = try processes(on: node)
            guard let status = await status(on: node) else {
                if processes.isEmpty { continue }
                return nil
            }
            guard status.state == .running, status.owner == node, processes.count == 1, processes.first == status.processID, place == nil
            else { return nil }
            place = (node, status.epoch)
        }
        guard let place, try await answers() else { return nil }
        return place
    }

    /// Whether a node says that it runs here, and the guest answers.
    func runs(on node: NodeName) async throws -> Bool {
        guard let status = await status(on: node), status.state == .running, status.owner == node else { return false }
        return try await answers()
    }

    /// Waits until it is at rest.
    func settle(within seconds: Double) async throws -> (node: NodeName, epoch: UInt64) {
        var place: (node: NodeName, epoch: UInt64)?
        let isSettled = try await eventually(within: seconds, every: 100) {
            place = try await restingPlace()
            return place != nil
        }
        guard isSettled, let place else { throw Unexpected("It does not come to rest: \(await story())") }
        return place
    }

    /// What the nodes say of it, for the message of a test that fails.
    func story() async -> String {
        var parts: [String] = []
        for node in Stage.nodes {
            let status = await status(on: node)
            let processes = (try? processes(on: node)) ?? []
            parts.append(
                "\(node): \(status.map { "\($0.state.rawValue), owner \($0.owner.map { "\($0)" } ?? "-") epoch \($0.epoch) \($0.note ?? "")" } ?? "nothing"), QEMU \(processes)"
            )
        }
        return parts.joined(separator: "; ")
    }

    // MARK: Acting

    /// Sees to it that it runs on a node, whatever the test before left.
    func bring(to node: NodeName) async throws {
        if try await ready().node != node {
            let record = try await migrate(to: node)
            try #require(record.outcome == .completed, "\(record.message)")
            _ = try await settle(within: 10)
        }
    }

    /// Sees to it that it runs somewhere, whatever the test before left, and that nothing else goes on.
    func ready() async throws -> (node: NodeName, epoch: UInt64) {
        try await quiet()
        if let place = try await restingPlace() { return place }
        let found = try await client().machine(name)
        if [.stopped, .lost, .crashed].contains(found.state) { _ = try await client().startMachine(name) }
        return try await settle(within: Self.bootSeconds)
    }

    /// Waits until both node services answer, see each other, and no migration is under way.
    func quiet() async throws {
        let isQuiet = try await eventually(within: 60, every: 100) {
            for node in Stage.nodes {
                guard let nodes = try? await client(node).nodes(), nodes.allSatisfy({ $0.facts?.disks.isEmpty == false }),
                    let migrations = try? await client(node).ownMigrations(), migrations.allSatisfy({ $0.record != nil })
                else { return false }
            }
            return true
        }
        try #require(isQuiet, "The nodes do not come to rest.")
    }

    /// Waits until some of its memory has been sent.
    func waitForMemory(of migration: MigrationStatus) async throws {
        let isMoving = try await eventually(within: 10, every: 20) {
            let now = try await client(migration.source).ownMigrations().first { $0.id == migration.id }
            return (now?.progress.transferredBytes ?? 0) > 4 << 20
        }
        try #require(isMoving, "No memory of \(name) moves.")
    }

    /// Whether a QEMU was started to receive a machine, not to boot it.
    static func isReceived(_ process: Int32) -> Bool {
        let arguments = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") ?? Data()
        return String(decoding: arguments, as: UTF8.self).split(separator: "\0").contains("-incoming")
    }

    func order(
        to node: NodeName, _ kind: MigrationKind = .live, maxBlackout: Int = 300, bandwidth: UInt64? = nil, autoConverge: Bool = true,
        postCopy: Bool = false
    ) -> MigrationOrder {
        MigrationOrder(
            vm: name, destination: node, kind: kind, maxBlackoutMilliseconds: maxBlackout, bandwidthBitsPerSecond: bandwidth,
            autoConverge: autoConverge, postCopy: postCopy)
    }

    /// Orders a migration at the node it leaves.
    func start(_ order: MigrationOrder) async throws -> MigrationStatus { try await client(other(order.destination)).startMigration(order) }

    /// Moves it and waits for the end.
    func migrate(to node: NodeName, _ kind: MigrationKind = .live) async throws -> MigrationRecord {
        try await record(of: start(order(to: node, kind)), within: 60)
    }

    /// Waits until a migration is in a phase.
    func wait(for phase: MigrationPhase, of migration: MigrationStatus, within seconds: Double = 10) async throws {
        var last: MigrationStatus?
        let isThere = try await eventually(within: seconds, every: 5) {
            last = try await client(migration.source).ownMigrations().first { $0.id == migration.id }
            return last?.progress.phase == phase || last?.record != nil
        }
        try #require(isThere && last?.progress.phase == phase, "It is not \(phase): \(String(describing: last))")
    }

    /// Waits for what the migration's node says at the end.
    func record(of migration: MigrationStatus, within seconds: Double) async throws -> MigrationRecord {
        var record: MigrationRecord?
        let hasEnded = try await eventually(within: seconds, every: 20) {
            let all = try? await client(migration.source).waiting(.seconds(3)).ownMigrations()
            record = all?.first { $0.id == migration.id }?.record
            return record != nil
        }
        guard hasEnded, let record else { throw Unexpected("The migration does not end. \(await story())") }
        return record
    }

    // MARK: Its disk

    /// Reads the guest's journal until this many boots have written to it.
    func journal(boots: Int) async throws -> JournalReport {
        var report = try await journal()
        _ = try await eventually(within: 60, every: 200) {
            report = try await journal()
            return report.boots >= boots
        }
        return report
    }

    /// Reads the guest's journal on the SAN at one moment.
    func journal() async throws -> JournalReport {
        let status = try await client().machine(name)
        let extent = try #require(status.machine.extents["root"])
        let disks = try await client().disks()
        let lun = try #require(disks.first { $0.id == extent.disk }?.lun)
        let copy = try lab.scratchFolder() + "/journal"
        // A guest that writes while it is read would look as if records were missing.
        let stopped = try Stage.nodes.flatMap { try processes(on: $0) }
        for process in stopped { kill(process, SIGSTOP) }
        defer { for process in stopped { kill(process, SIGCONT) } }
        try await Task.sleep(for: .milliseconds(20))
        let file = try #require(FileHandle(forReadingAtPath: lab.backingFile(lun: lun)))
        try file.seek(toOffset: extent.byteOffset + LabGuest.journalOffset)
        let bytes = try #require(try file.read(upToCount: Int(Stage.journalByteCount)))
        for process in stopped { kill(process, SIGCONT) }
        try bytes.write(to: URL(filePath: copy))
        return try await lab.journalReport(copy, offset: 0, byteCount: Stage.journalByteCount)
    }
}
