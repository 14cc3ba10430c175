import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

/// Machines in a cluster of two nodes with a witness: who may run one is an entry of the log, and quorum decides whether it runs.
///
/// Goal: never do two QEMUs run one machine, whatever is cut or killed, and when all is whole again exactly one does. The guest's
/// journal is read at the end of every story: two writers, or a lost write, would show in it.
@Suite(.serialized, .machines, .enabled(if: geteuid() == 0, "The lab needs root."))
struct MachineTests {
    /// A node's ring has to break, votequorum and the witness to decide, and a slow machine takes its time.
    private static let untilPaused = 25.0

    @Test("a machine moves live and quick; log, disk and both nodes agree", .timeLimit(.minutes(3)))
    func moves() async throws {
        let machine = try MachinesTrait.get()
        try await machine.bring(to: ClusterStage.n1)
        let before = try await machine.settle()
        try await RunWatcher.during(machine) { _ in
            let live = try await machine.record(of: machine.start(to: ClusterStage.n2), on: ClusterStage.n1)
            #expect(live.outcome == .completed, "\(live.message)")
            let there = try await machine.settle()
            #expect(there == (ClusterStage.n2, before.epoch + 1))
            let quick = try await machine.record(of: machine.start(to: ClusterStage.n1, .quick), on: ClusterStage.n2)
            #expect(quick.outcome == .completed, "\(quick.message)")
            let back = try await machine.settle()
            #expect(back == (ClusterStage.n1, before.epoch + 2))
        }
        let report = try #require(await machine.stage.status(ClusterStage.n2))
        #expect(report.nodes.map(\.machines) == [1, 0])
        let events = try await machine.client(ClusterStage.n2).events(after: 0)
        #expect(events.filter { $0.kind == .machineMoved }.count >= 2)
        try await checkJournal(machine)
    }

    @Test("the side without quorum pauses its guest, and lets it run on when the link is back in time", .timeLimit(.minutes(5)))
    func pausedAndResumed() async throws {
        let machine = try MachinesTrait.get()
        let winner = GuestMachine(machine.stage, number: 2)
        // The holder of the witness goes on; the guest on the other node is the one that is paused.
        let holder = try await holder(machine)
        try await machine.bring(to: other(holder))
        try await winner.create(on: holder)
        _ = try await winner.client(holder).startMachine(winner.name)
        try await winner.waitForGuest()
        let process = try machine.processes(on: other(holder))
        try await RunWatcher.during(winner) { winning in
            try await RunWatcher.during(machine) { losing in
                try await machine.stage.node(ClusterStage.n2).cut(.cluster)
                let isPaused = try await eventually(within: Self.untilPaused) { !losing.isRunning }
                if !isPaused { throw Unexpected(await machine.story()) }
                _ = try await machine.stage.wait(holder, until: "open alone") { $0.isOpen }
                // The other side knows whose it is, and leaves it alone.
                let seen = await machine.seen(from: holder)
                #expect(seen?.owner == other(holder) && seen?.state == .unknown, "\(String(describing: seen))")
                try await Task.sleep(for: .seconds(2))
                #expect(!losing.isRunning)
                #expect(winning.isRunning(on: holder))
                try await machine.stage.node(ClusterStage.n2).restore(.cluster)
                try await machine.stage.settle()
                let runsOn = try await eventually(within: 20) { losing.isRunning(on: other(holder)) }
                if !runsOn { throw Unexpected(await machine.story()) }
            }
        }
        #expect(try machine.processes(on: other(holder)) == process, "it was started anew")
        let told = try await eventually(within: 10) {
            let sentences = try await machine.client(holder).events(after: 0).map(\.sentence)
            return sentences.contains { $0.contains("web1 was paused on") } && sentences.contains { $0.contains("web1 runs on") }
        }
        #expect(told)
        try await checkJournal(machine)
        try await checkJournal(winner)
        try await winner.delete()
    }

    @Test("the side without quorum stops its guest when that lasts; the node starts it again when it is back", .timeLimit(.minutes(5)))
    func stopped() async throws {
        let machine = try MachinesTrait.get()
        let holder = try await holder(machine)
        let loser = other(holder)
        try await machine.bring(to: loser)
        _ = try await machine.client(holder).setQuorum(SetQuorumRequest(secondsUntilStop: 5))
        try await machine.stage.settle()
        let process = try machine.processes(on: loser)
        try await RunWatcher.during(machine) { watch in
            try await machine.stage.node(ClusterStage.n2).cut(.cluster)
            let isStopped = try await eventually(within: Self.untilPaused + 15) { try machine.processes(on: loser).isEmpty }
            if !isStopped { throw Unexpected(await machine.story()) }
            let isShown = try await eventually(within: 5) { await machine.seen(from: loser)?.state == .stopped }
            #expect(isShown)
            try await machine.stage.node(ClusterStage.n2).restore(.cluster)
            try await machine.stage.settle()
            let place = try await machine.settle()
            #expect(place.node == loser)
        }
        let told = try await eventually(within: 10) {
            let sentences = try await machine.client(holder).events(after: 0).map(\.sentence)
            return sentences.contains { $0.contains("web1 was stopped on") } && sentences.contains { $0.contains("was started again on") }
        }
        #expect(told)
        _ = try await machine.client(holder).setQuorum(SetQuorumRequest(secondsUntilStop: 60))
        #expect(try machine.processes(on: loser) != process)
        try await checkJournal(machine)
    }

    @Test("the service of the source is killed around the commit", .timeLimit(.minutes(4)), arguments: HeldMoment.allCases)
    func sourceServiceKilled(moment: HeldMoment) async throws { try await serviceKilled(moment) { other($0) } }

    @Test("the service of the destination is killed around the commit", .timeLimit(.minutes(4)), arguments: HeldMoment.allCases)
    func destinationServiceKilled(moment: HeldMoment) async throws { try await serviceKilled(moment) { $0 } }

    private func serviceKilled(_ moment: HeldMoment, at node: (_ destination: NodeName) -> NodeName) async throws {
        let machine = try MachinesTrait.get()
        try await machine.stage.settle()
        let source = try await machine.settle().node
        try await RunWatcher.during(machine) { _ in
            let (_, held) = try await machine.hold(moment, movingTo: other(source))
            #expect(try machine.stage.node(node(other(source))).signal(SIGKILL, processesNamed: "apusd") == 1)
            try held.release()
            try await machine.stage.settle()
            _ = try await machine.settle()
        }
        try await checkJournal(machine)
    }

    @Test(
        "the cluster is cut exactly at the switchover", .timeLimit(.minutes(5)),
        arguments: HeldMoment.allCases, ["the source holds the witness", "the destination holds it"])
    func cutAtSwitchover(moment: HeldMoment, who: String) async throws {
        let machine = try MachinesTrait.get()
        let holder = try await holder(machine)
        let source = who.hasPrefix("the source") ? holder : other(holder)
        try await machine.bring(to: source)
        // Once the commit has been asked for, the side with quorum has all it needs to go on, if it is the one that owns it.
        let goesOn = (moment == .resuming) == (source != holder)
        try await RunWatcher.during(machine) { watch in
            let (_, held) = try await machine.hold(moment, movingTo: other(source))
            try await machine.stage.node(ClusterStage.n2).cut(.cluster)
            // Within the second in which nobody has noticed yet.
            try held.release()
            if goesOn {
                let runs = try await eventually(within: Self.untilPaused) { watch.isRunning(on: holder) }
                if !runs { throw Unexpected(await machine.story()) }
            } else {
                try await Task.sleep(for: .seconds(12))
                #expect(!watch.isRunning)
            }
            // Whose it is by the log of the side with quorum is what holds afterwards.
            let said = await machine.stage.status(holder)?.nodes.first { $0.machines == 1 }?.name
            try await machine.stage.node(ClusterStage.n2).restore(.cluster)
            try await machine.stage.settle()
            let end = try await machine.settle()
            if goesOn { #expect(said == end.node && said == holder, "\(String(describing: said))") }
        }
        try await checkJournal(machine)
    }

    @Test("a node that has lost its notes takes its machine up again from the configuration", .timeLimit(.minutes(3)))
    func lostNotes() async throws {
        let machine = try MachinesTrait.get()
        try await machine.bring(to: ClusterStage.n2)
        let before = try await machine.settle()
        let process = try machine.processes(on: ClusterStage.n2)
        try await RunWatcher.during(machine) { _ in
            let node = try machine.stage.node(ClusterStage.n2)
            try FileManager.default.removeItem(atPath: node.stateFolder + "/machines/\(machine.name).json")
            #expect(node.signal(SIGKILL, processesNamed: "apusd") == 1)
            try await machine.stage.settle()
            let after = try await machine.settle()
            #expect(after == before)
        }
        #expect(try machine.processes(on: ClusterStage.n2) == process)
    }

    @Test("a node comes back with a QEMU whose machine belongs elsewhere: it is ended", .timeLimit(.minutes(4)))
    func foreignMachine() async throws {
        let machine = try MachinesTrait.get()
        try await machine.bring(to: ClusterStage.n2)
        try await RunWatcher.during(machine) { _ in
            let node = try machine.stage.node(ClusterStage.n2)
            let (_, held) = try await machine.hold(.resuming, movingTo: ClusterStage.n1)
            let notes = node.stateFolder + "/machines/\(machine.name).json"
            #expect(node.signal(SIGKILL, processesNamed: "apusd") == 1)
            // It forgets that the machine was on its way: what is left is a QEMU, and a log that names the other node.
            let text = try String(contentsOfFile: notes, encoding: .utf8)
            var object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            for key in ["outgoing", "destination", "order", "orderedAt"] { object[key] = nil }
            try JSONSerialization.data(withJSONObject: object).write(to: URL(filePath: notes))
            try held.release()
            try await machine.stage.settle()
            let place = try await machine.settle()
            #expect(place.node == ClusterStage.n1)
        }
        let told = try await eventually(within: 10) {
            try await machine.client(ClusterStage.n1).events(after: 0).contains { $0.sentence.contains("web1 was ended on n2") }
        }
        #expect(told)
        try await checkJournal(machine)
    }

    @Test("machines of a node that is off are shown, and come back with it", .timeLimit(.minutes(5)))
    func nodeOff() async throws {
        let machine = try MachinesTrait.get()
        try await machine.bring(to: ClusterStage.n2)
        try await machine.stage.node(ClusterStage.n2).powerOff()
        let alone = try await machine.stage.wait(ClusterStage.n1, until: "open alone") { report in
            report.isOpen && report.nodes.contains { $0.name == ClusterStage.n2 && $0.state == .down }
        }
        #expect(alone.nodes.first { $0.name == ClusterStage.n2 }?.machines == 1)
        let seen = await machine.seen(from: ClusterStage.n1)
        #expect(seen?.state == .unknown && seen?.owner == ClusterStage.n2 && seen?.note?.contains("is down") == true)
        try await machine.stage.node(ClusterStage.n2).powerOn()
        try await machine.stage.settle()
        let place = try await machine.settle()
        #expect(place.node == ClusterStage.n2)
        try await checkJournal(machine)
    }

    @Test("the coordinator is off: the other node makes volume metadata, and a machine", .timeLimit(.minutes(4)))
    func coordinatorMoves() async throws {
        let machine = try MachinesTrait.get()
        try await machine.bring(to: ClusterStage.n2)
        let new = GuestMachine(machine.stage, number: 3)
        try await machine.stage.node(ClusterStage.n1).powerOff()
        _ = try await machine.stage.wait(ClusterStage.n2, until: "open alone and the coordinator") { report in
            report.isOpen && report.nodes.contains { $0.name == ClusterStage.n2 && $0.isCoordinator }
        }
        // The guest there was paused for a while at most.
        let runs = try await eventually(within: Self.untilPaused) { await machine.seen(from: ClusterStage.n2)?.state == .running }
        if !runs { throw Unexpected(await machine.story()) }
        let isMade = try await eventually(within: 20, every: 500) {
            do { try await new.create(on: ClusterStage.n2) } catch let error as APIError where error.code == .unreachable { return false }
            return true
        }
        #expect(isMade)
        try await machine.stage.node(ClusterStage.n1).powerOn()
        try await machine.stage.settle()
        let seen = await new.seen(from: ClusterStage.n1)
        #expect(seen?.owner == ClusterStage.n2 && seen?.state == .stopped, "\(String(describing: seen))")
        try await new.delete()
    }

    @Test("the cluster is cut while memory is sent: the source, without quorum, keeps the machine", .timeLimit(.minutes(4)))
    func cutDuringTransfer() async throws {
        let machine = try MachinesTrait.get()
        let holder = try await holder(machine)
        try await machine.bring(to: other(holder))
        let before = try await machine.settle()
        try await RunWatcher.during(machine) { watch in
            let migration = try await machine.start(to: holder, bandwidth: 8_000_000)
            try await Task.sleep(for: .seconds(1))
            try await machine.stage.node(ClusterStage.n2).cut(.cluster)
            let isPaused = try await eventually(within: Self.untilPaused) { !watch.isRunning }
            if !isPaused { throw Unexpected(await machine.story()) }
            let record = try await machine.record(of: migration, on: other(holder))
            #expect(record.outcome == .cancelled, "\(record.message)")
            #expect(!watch.isRunning)
            try await machine.stage.node(ClusterStage.n2).restore(.cluster)
            try await machine.stage.settle()
            let after = try await machine.settle()
            #expect(after == before)
        }
        try await checkJournal(machine)
    }

    private func holder(_ machine: GuestMachine) async throws -> NodeName {
        try await machine.stage.settle()
        return try await machine.stage.holder()
    }

    private func checkJournal(_ machine: GuestMachine) async throws {
        let journal = try await machine.journal()
        #expect(journal.good, "\(journal)")
    }
}
