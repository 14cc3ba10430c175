import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

extension MigrationTests {
    /// Nothing goes wrong: what the machine's peers see, and what the product says that it cost.
    @Suite(.serialized)
    struct Moves {
        @Test(
            "A move loses no packet, and says what it cost", .timeLimit(.minutes(4)),
            arguments: [
                (MigrationKind.live, Stage.n2), (.quick, Stage.n1), (.quick, Stage.n2), (.live, Stage.n1),
            ])
        func move(kind: MigrationKind, destination: NodeName) async throws {
            let stage = try Stage.get()
            let machine = stage.machine
            try await machine.bring(to: other(destination))
            let before = try await machine.client().machine(machine.name)
            try await RunWatcher.during(machine) {
                let traffic = try await Traffic(stage.lab, to: machine)
                let record = try await machine.migrate(to: destination, kind)
                // A peer asks again only after an answer, so their number says how busy the machine is (on one with a load of 20 fewer than
                // 10 came in a whole move). That they go on coming says that the connection outlived the pause.
                #expect(try await traffic.goesOn(), "\(record)")
                let seen = try await traffic.end()

                #expect(record.outcome == .completed && record.isRunning && record.owner == destination, "\(record)")
                #expect(record.message == "\(machine.name) runs on \(destination).")
                #expect(record.passes >= 1 && record.transferredBytes > 10 << 20, "\(record)")
                let blackout = try #require(record.blackoutMilliseconds)
                #expect(blackout > 0 && blackout <= record.totalMilliseconds, "\(record)")
                // A guest that was silent just before the switchover gives no gap to measure.
                if let gap = record.visibleGapMilliseconds { #expect(gap >= blackout, "\(record)") }
                // Nothing is lost. Of the frames that QEMU took before the stop the last two are in doubt, and are handed over again: the
                // last one had nearly always been refused, the one before it mostly not.
                for udp in seen.udp { #expect(udp.answered > 50 && udp.lost == 0 && udp.duplicated <= 1, "\(udp)") }
                for echo in seen.echo { #expect(echo.answers >= 10 && echo.errors == 0, "\(echo), \(record)") }
            }
            let place = try await machine.settle(within: 20)
            #expect(place.node == destination)
            #expect(place.epoch == before.epoch + 1)
            let journal = try await machine.journal()
            #expect(journal.good && journal.records > 0, "\(journal)")
        }

        @Test("Frames of every kind reach the guest: to its address, to all, on a VLAN", .timeLimit(.minutes(4)))
        func frames() async throws {
            let stage = try Stage.get()
            let machine = stage.machine
            try await machine.bring(to: Stage.n1)
            try await RunWatcher.during(machine) {
                let probe = try Probe(
                    stage.lab, ["frames", "--interface", "machine0", "--mac", machine.mac, "--interval-ms", "2"], as: FramesReport.self)
                try await Task.sleep(for: .milliseconds(400))
                let record = try await machine.migrate(to: Stage.n2)
                try await Task.sleep(for: .milliseconds(500))
                let seen = try await probe.end()
                #expect(record.outcome == .completed, "\(record)")
                // No frame is lost, whomever it was for. A broadcast reaches the ports of both nodes; it is handed over once as well.
                let kinds = [seen.unicast, seen.tagged, seen.broadcast, seen.taggedBroadcast]
                for kind in kinds { #expect(kind.answered > 50 && kind.lost == 0, "\(seen)") }
                // Two frames of all kinds together are in doubt, see the test above.
                #expect(kinds.map(\.duplicated).reduce(0, +) <= 2, "\(seen)")
            }
        }
    }
}
