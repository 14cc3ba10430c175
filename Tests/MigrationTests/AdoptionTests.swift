import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

extension MigrationTests {
    /// Machines outlive the service, and what happens to them without it is seen when it is back.
    @Suite(.serialized)
    struct Adoption {
        @Test("The service ends and the machine does not notice", .timeLimit(.minutes(4)), arguments: [SIGTERM, SIGKILL])
        func restart(signal: Int32) async throws {
            let stage = try Stage.get()
            let machine = stage.machine
            let before = try await machine.ready()
            let process = try machine.processes(on: before.node)
            try await RunWatcher.during(machine) {
                let probe = try Probe(stage.lab, ["udp", machine.address.v4, "--interval-ms", "20"], as: CounterReport.self)
                try await Task.sleep(for: .milliseconds(300))
                let service = try stage.node(before.node).member.processes(named: "apusd")
                #expect(try stage.node(before.node).signal(signal, processesNamed: "apusd") == 1)
                let isBack = try await eventually(within: 30) {
                    let now = try stage.node(before.node).member.processes(named: "apusd")
                    return !now.isEmpty && now != service
                }
                #expect(isBack)
                let after = try await machine.settle(within: 30)
                let seen = try await probe.end()
                #expect(after == before)
                #expect(try machine.processes(on: after.node) == process)
                #expect(seen.lost == 0 && seen.duplicated == 0 && (seen.gapMaxMs ?? 0) < 3_000, "\(seen)")
            }
            try await machine.quiet()
        }

        @Test(
            "A machine whose QEMU dies is booted again, or left, as its policy says", .timeLimit(.minutes(4)),
            arguments: CrashPolicy.allCases)
        func crash(policy: CrashPolicy) async throws {
            let stage = try Stage.get()
            let machine = MovingMachine(lab: stage.lab, clients: stage.clients, number: 13, onCrash: policy)
            try await machine.whileThere {
                let before = try await machine.settle(within: 20)
                let process = try #require(try machine.processes(on: before.node).first)
                _ = try await machine.journal(boots: 1)
                #expect(kill(process, SIGKILL) == 0)
                switch policy {
                case .restart:
                    let isBack = try await eventually(within: 20) { await machine.status(on: before.node)?.processID != process }
                    #expect(isBack)
                    let after = try await machine.settle(within: MovingMachine.bootSeconds)
                    #expect(after == before)
                case .stop:
                    let isLeft = try await eventually(within: 30) { await machine.status(on: before.node)?.state == .crashed }
                    if !isLeft { throw Unexpected(await machine.story()) }
                    #expect(try machine.processes(on: before.node).isEmpty)
                    // The operator has looked at it.
                    _ = try await machine.client().startMachine(machine.name)
                    _ = try await machine.settle(within: MovingMachine.bootSeconds)
                }
                let journal = try await machine.journal(boots: 2)
                #expect(journal.good && journal.boots == 2, "\(journal)")
            }
        }

        @Test("A guest that powers itself off is stopped, and stays so", .timeLimit(.minutes(4)))
        func shutdown() async throws {
            let stage = try Stage.get()
            let machine = MovingMachine(lab: stage.lab, clients: stage.clients, number: 14)
            try await machine.whileThere {
                let place = try await machine.settle(within: 20)
                let typing = #"""
                    my $console = IO::Socket::UNIX->new($ARGV[0]) or die "console: $!";
                    for (1..3) { print $console "\npoweroff -f\n"; $console->flush; sleep 1 }
                    """#
                _ = try await stage.node(place.node).exec(
                    ["perl", "-MIO::Socket::UNIX", "-e", typing, "/run/apus/machines/\(machine.name)/serial.sock"])
                let isStopped = try await eventually(within: 30) {
                    try await machine.client().machine(machine.name).state == .stopped
                }
                if !isStopped { throw Unexpected(await machine.story()) }
                #expect(try machine.processes(on: place.node).isEmpty)
            }
        }
    }
}
