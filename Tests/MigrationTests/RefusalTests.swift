import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

extension MigrationTests {
    /// Orders that cannot be carried out: each is refused with a sentence, and the machine does not notice.
    @Suite(.serialized)
    struct Refusals {
        @Test("To a node that is not there", .timeLimit(.minutes(4)))
        func noSuchNode() async throws {
            try await Self.refused(.notFound, "There is no node n9; the cluster has n1, n2.") { $0.order(to: NodeName(unchecked: "n9")) }
        }

        @Test("To the node where it is", .timeLimit(.minutes(4)))
        func toItself() async throws {
            try await Self.refused(.refused, "web10 is on n1 already; name another node with --to.") { $0.order(to: Stage.n1) }
        }

        @Test(
            "With numbers that make no sense", .timeLimit(.minutes(4)),
            arguments: [(0, nil), (600_001, nil), (300, 999_999)] as [(Int, UInt64?)])
        func numbers(blackout: Int, bandwidth: UInt64?) async throws {
            try await Self.refused(.invalid, bandwidth == nil ? "makes no sense" : "too little to move a machine") {
                $0.order(to: Stage.n2, maxBlackout: blackout, bandwidth: bandwidth)
            }
        }

        @Test("While it is being moved; and that migration can be cancelled", .timeLimit(.minutes(4)))
        func twice() async throws {
            let stage = try Stage.get()
            let machine = stage.machine
            try await machine.bring(to: Stage.n1)
            let hold = try stage.hold("preparing", on: Stage.n1)
            defer { try? hold.release() }
            // At the very same moment: one of them wins.
            async let first = Self.answer(to: machine.order(to: Stage.n2), machine)
            async let second = Self.answer(to: machine.order(to: Stage.n2), machine)
            let answers = await [first, second]
            let accepted = answers.compactMap { try? $0.get() }
            try #require(accepted.count == 1, "\(answers)")
            for case .failure(let error) in answers { #expect(error.message.contains("is being migrated already"), "\(error)") }

            try await Self.refused(.refused, "is being migrated already") { $0.order(to: Stage.n2) }
            _ = try await machine.client().cancelMigration(of: machine.name)
            try hold.release()
            let record = try await machine.record(of: accepted[0], within: 20)
            #expect(record.outcome == .cancelled && record.owner == Stage.n1, "\(record)")
            #expect(record.message == "The migration was cancelled. web10 runs on n1 as before.")
            let error = await #expect(throws: APIError.self) { try await machine.client().cancelMigration(of: machine.name) }
            #expect(error?.message == "web10 is not being migrated.")
            try await machine.quiet()
        }

        @Test("A migration is cancelled while memory moves", .timeLimit(.minutes(4)), arguments: [MigrationKind.live, .quick])
        func cancelled(kind: MigrationKind) async throws {
            let stage = try Stage.get()
            let machine = stage.machine
            try await machine.bring(to: Stage.n1)
            let before = try await machine.settle(within: 20)
            let process = try machine.processes(on: Stage.n1)
            try await RunWatcher.during(machine) {
                let migration = try await machine.start(machine.order(to: Stage.n2, kind, bandwidth: 200_000_000))
                try await machine.waitForMemory(of: migration)
                _ = try await machine.client().cancelMigration(of: machine.name)
                let record = try await machine.record(of: migration, within: 20)
                #expect(record.outcome == .cancelled && record.owner == Stage.n1 && record.isRunning, "\(record)")
                let after = try await machine.settle(within: 20)
                #expect(after == before)
                #expect(try machine.processes(on: Stage.n1) == process)
            }
        }

        @Test("A machine that is not running, or does not exist", .timeLimit(.minutes(4)))
        func notRunning() async throws {
            let stage = try Stage.get()
            let stopped = MovingMachine(lab: stage.lab, clients: stage.clients, number: 11)
            try await stopped.create()
            let error = await #expect(throws: APIError.self) { try await stopped.start(stopped.order(to: Stage.n2)) }
            #expect(error?.code == .refused && error?.message == "web11 is not running (stopped); start it with: apus vm start web11")
            try await stopped.delete()
            let none = await #expect(throws: APIError.self) { try await stopped.start(stopped.order(to: Stage.n2)) }
            #expect(none?.code == .notFound && none?.message == "There is no virtual machine web11. See: apus vm list")
        }

        @Test("The destination lacks the bridge", .timeLimit(.minutes(4)))
        func noBridge() async throws {
            let n2 = try Stage.get().lab.node("n2")
            try await Self.refused(.refused, "n2 has no bridge br0; create it there, plugged into the same network.") {
                let renamed = try await n2.exec(["sh", "-c", "ip link set br0 down && ip link set br0 name br9"])
                #expect(renamed.isSuccess, "\(renamed)")
                return $0.order(to: Stage.n2)
            } afterwards: {
                let renamed = try await n2.exec(["sh", "-c", "ip link set br9 name br0 && ip link set br0 up"])
                #expect(renamed.isSuccess, "\(renamed)")
            }
        }

        @Test("The destination does not reach the SAN", .timeLimit(.minutes(4)))
        func noDisk() async throws {
            let n2 = try Stage.get().lab.node("n2")
            try await Self.refused(.refused, "n2 does not see shared disk") { machine in
                try await n2.cut(.storage)
                let isGone = try await eventually(within: 45, every: 200) {
                    try await machine.client().nodes().first { $0.name == Stage.n2 }?.facts?.disks == []
                }
                #expect(isGone)
                return machine.order(to: Stage.n2)
            } afterwards: {
                try await n2.restore(.storage)
            }
        }

        @Test(
            "The destination's QEMU cannot build the machine", .timeLimit(.minutes(4)),
            arguments: [
                ("Nehalem", "n2 cannot run CPU model Nehalem with"), ("pc-q35-7.2", "n2 cannot build a pc-q35-7.2 machine"),
            ])
        func otherQEMU(offer: String, sentence: String) async throws {
            let n2 = try Stage.get().lab.node("n2")
            // What QEMU was found to offer is kept until another QEMU is installed; here it is made to be less.
            let file = n2.stateFolder + "/qemu-facts.json"
            let facts = try String(contentsOfFile: file, encoding: .utf8)
            try await Self.refused(.refused, sentence) { machine in
                let fewer = facts.replacingOccurrences(of: "\"\(offer)\"", with: "\"another\"")
                try #require(fewer != facts)
                try fewer.write(toFile: file, atomically: false, encoding: .utf8)
                #expect(n2.signal(SIGTERM, processesNamed: "apusd") == 1)
                let isBack = try await eventually(within: 30, every: 100) {
                    guard let facts = try? await machine.client(Stage.n2).facts() else { return false }
                    return !facts.cpuModels.contains(offer) && !facts.machineTypes.contains(offer)
                }
                #expect(isBack)
                try await machine.quiet()
                return machine.order(to: Stage.n2)
            } afterwards: {
                try facts.write(toFile: file, atomically: false, encoding: .utf8)
                n2.signal(SIGTERM, processesNamed: "apusd")
                try await Stage.get().machine.quiet()
            }
        }

        @Test("The destination has not the memory", .timeLimit(.minutes(4)))
        func noMemory() async throws {
            let stage = try Stage.get()
            // Almost all that is free: it starts, for it touches little, but then others take theirs.
            let free = try await stage.client(of: Stage.n1).facts().memoryAvailableMiB
            let large = MovingMachine(lab: stage.lab, clients: stage.clients, number: 12, memoryMiB: free - 1_500)
            try #require(large.memoryMiB >= 128, "This test needs about 2 GiB of free memory.")
            try await large.create()
            _ = try await large.client().startMachine(large.name)
            let ballast = UnsafeMutableRawPointer.allocate(byteCount: 2_500 << 20, alignment: 4_096)
            defer { ballast.deallocate() }
            memset(ballast, 1, 2_500 << 20)
            let error = await #expect(throws: APIError.self) { try await large.start(large.order(to: Stage.n2)) }
            #expect(error?.code == .refused)
            #expect(
                error?.message.contains("MiB of memory free, web12 needs \(large.memoryMiB) MiB and 128 MiB stay reserved") == true,
                "\(String(describing: error))")
            #expect(try await large.client().machine(large.name).state == .running)
            try await large.delete()
        }

        @Test("The destination is powered off", .timeLimit(.minutes(4)))
        func powerless() async throws {
            let stage = try Stage.get()
            let n2 = try stage.lab.node("n2")
            try await Self.refused(.unreachable, "n2 does not answer, so web10 stays where it is") {
                try await n2.powerOff()
                return $0.order(to: Stage.n2)
            } afterwards: {
                try await n2.powerOn()
                try await stage.machine.quiet()
            }
        }

        private static func answer(to order: MigrationOrder, _ machine: MovingMachine) async -> Result<MigrationStatus, APIError> {
            do throws(APIError) {
                return .success(try await NodeClient(socketPath: machine.lab.nodes[0].apiSocket).startMigration(order))
            } catch {
                return .failure(error)
            }
        }

        /// The machine, on n1, is ordered away, which is refused; afterwards all is as before.
        private static func refused(
            _ code: APIError.Code, _ sentence: String, _ prepare: (MovingMachine) async throws -> MigrationOrder,
            afterwards: () async throws -> Void = {}
        ) async throws {
            let machine = try Stage.get().machine
            let isBusy = try await machine.client().ownMigrations().contains { $0.record == nil }
            if !isBusy { try await machine.bring(to: Stage.n1) }
            let epoch = try await machine.client().machine(machine.name).epoch
            let process = try machine.processes(on: Stage.n1)
            do {
                let order = try await prepare(machine)
                let error = await #expect(throws: APIError.self) { try await machine.client().startMigration(order) }
                #expect(error?.code == code && error?.message.contains(sentence) == true, "\(String(describing: error))")
                #expect(try await machine.answers(within: 5))
                #expect(try machine.processes(on: Stage.n1) == process)
                #expect(try machine.processes(on: Stage.n2).isEmpty)
                let status = try await machine.client().machine(machine.name)
                #expect(status.epoch == epoch && status.owner == Stage.n1, "\(status)")
            } catch {
                try await afterwards()
                throw error
            }
            try await afterwards()
        }
    }
}
