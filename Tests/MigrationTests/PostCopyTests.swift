import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

extension MigrationTests {
    /// A guest that changes memory faster than the link carries it runs on the destination before all its memory is there. Losing an end
    /// in that time loses the memory; it must be said, and the disk must be whole.
    @Suite(.serialized)
    struct PostCopy {
        enum End: Sendable {
            case moved
            /// The memory is lost, and the operator decides.
            case lost
            /// The memory is lost with the destination's QEMU, which its node starts again.
            case lostAndBooted
        }

        @Test(
            "Post-copy, and what may go wrong in it", .timeLimit(.minutes(4)),
            arguments: [
                (.breakMigrationConnections, .moved), (.killSourceService, .moved), (.killSourceQEMU, .lost),
                (.killDestinationQEMU, .lostAndBooted),
            ] as [(Fault, End)])
        func postCopy(fault: Fault, expected: End) async throws {
            let stage = try Stage.get()
            let machine = MovingMachine(lab: stage.lab, clients: stage.clients, number: 15)
            try await stage.lab.guest().makeImage(
                at: stage.lab.node("n1").runtimeFolder + "/dirty.img", options: [Stage.journal, "apus.dirty=64:120"])
            try await stage.machine.quiet()
            try await machine.whileThere(image: "/run/apus/dirty.img") {
                try await move(machine, stage, fault, expected)
                let boots = expected == .moved ? 1 : 2
                let journal = try await machine.journal(boots: boots)
                #expect(journal.good && journal.boots == boots, "\(journal)")
                try await machine.quiet()
            }
        }

        private func move(_ machine: MovingMachine, _ stage: Stage, _ fault: Fault, _ expected: End) async throws {
            // Until it has touched the memory that it changes.
            try await Task.sleep(for: .seconds(2))
            let hold = try stage.hold("committing", on: Stage.n1)
            do {
                try await RunWatcher.during(machine) {
                    let migration = try await machine.start(
                        machine.order(to: Stage.n2, maxBlackout: 1, bandwidth: 300_000_000, autoConverge: false, postCopy: true))
                    try await machine.wait(for: .committing, of: migration, within: 60)
                    // What is missing comes slowly from here on.
                    try await stage.lab.limit(to: BitRate("20Mbit"))
                    try hold.release()
                    try await machine.wait(for: .postCopy, of: migration, within: 20)
                    let process = try #require(try machine.processes(on: Stage.n2).first)
                    try await fault.inject(stage, machine, source: Stage.n1)
                    if expected == .moved { try await stage.lab.limit(to: nil) }
                    let record = try await machine.record(of: migration, within: 80)
                    #expect(record.owner == Stage.n2, "\(record)")
                    switch expected {
                    case .moved:
                        #expect(record.outcome == .completed, "\(record)")
                        let place = try await machine.settle(within: 20)
                        #expect(place.node == Stage.n2)
                        #expect(try machine.processes(on: Stage.n2) == [process])
                    case .lost:
                        #expect(record.outcome == .lost && record.message.contains("Its disk is intact."), "\(record)")
                        let isReported = try await eventually(within: 30) {
                            try await machine.client().machine(machine.name).state == .lost
                        }
                        if !isReported { throw Unexpected(await machine.story()) }
                        #expect(try Stage.nodes.allSatisfy { try machine.processes(on: $0).isEmpty })
                        _ = try await machine.client().startMachine(machine.name)
                        #expect(try await machine.settle(within: MovingMachine.bootSeconds).node == Stage.n2)
                    case .lostAndBooted:
                        #expect(record.outcome == .lost && record.message.contains("Its disk is intact."), "\(record)")
                        #expect(try await machine.settle(within: MovingMachine.bootSeconds).node == Stage.n2)
                        #expect(try machine.processes(on: Stage.n2) != [process])
                    }
                }
            } catch {
                try hold.release()
                try await stage.lab.limit(to: nil)
                throw error
            }
            try await stage.lab.limit(to: nil)
        }
    }
}
