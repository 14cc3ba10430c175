import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

extension MigrationTests {
    /// Goal: whatever breaks in whichever phase, the machine ends up running on exactly one node, and a retry works.
    ///
    /// Method: a real migration is held or slowed down in the phase, a real process is killed or stopped, a plug is pulled, a disk filled.
    /// A watch on every QEMU's monitor proves that two never ran at a time; the guest's journal on the SAN proves one writer at a time.
    @Suite(.serialized)
    struct Faults {
        struct Case: Sendable, CustomTestStringConvertible {
            var moment: Moment
            var fault: Fault
            var end: End
            /// The fault is taken away after this time; nil leaves it until the machine has come to rest.
            var healedAfter: Double?

            init(_ moment: Moment, _ fault: Fault, _ end: End, healedAfter: Double? = nil) {
                self.moment = moment
                self.fault = fault
                self.end = end
                self.healedAfter = healedAfter
            }
            var testDescription: String { "\(moment), \(fault)" }
        }

        /// How the machine must end up.
        enum End: Sendable {
            /// Runs on as if nothing had been.
            case onSource, onDestination
            /// Its memory survived, wherever it is.
            case onEither
            /// Its QEMU was killed while it held the only memory: started again by its crash policy.
            case bootedOnSource, bootedOnDestination
        }

        static let cases: [Case] = [
            Case(.preparing, .killSourceQEMU, .bootedOnSource),
            Case(.preparing, .killSourceService, .onSource),
            Case(.preparing, .killDestinationService, .onEither),
            Case(.preparing, .cutMigrationLink, .onSource),
            Case(.preparing, .cutClusterLink, .onSource),
            Case(.preparing, .fullDestinationDisk, .onSource),

            Case(.firstPass, .killSourceQEMU, .bootedOnSource),
            Case(.firstPass, .killDestinationQEMU, .onSource),
            Case(.firstPass, .killSourceService, .onSource),
            Case(.firstPass, .killDestinationService, .onEither),
            Case(.firstPass, .cutMigrationLink, .onSource),
            Case(.firstPass, .breakMigrationConnections, .onSource),
            Case(.firstPass, .cutClusterLink, .onDestination),
            Case(.firstPass, .stopSourceQEMU, .onSource, healedAfter: 16),
            Case(.firstPass, .stopDestinationQEMU, .onSource),

            Case(.preSwitchover, .killSourceQEMU, .bootedOnSource),
            Case(.preSwitchover, .killDestinationQEMU, .onSource),
            Case(.preSwitchover, .killSourceService, .onSource),
            Case(.preSwitchover, .killDestinationService, .onDestination),
            Case(.preSwitchover, .cutMigrationLink, .onSource),
            Case(.preSwitchover, .cutClusterLink, .onDestination),
            Case(.preSwitchover, .stopSourceQEMU, .onEither, healedAfter: 6),
            // Held in the state of the devices: the destination takes nothing more.
            Case(.preSwitchover, .stopDestinationQEMU, .onSource),

            Case(.committing, .killSourceQEMU, .onDestination),
            Case(.committing, .killDestinationQEMU, .onSource),
            Case(.committing, .killSourceService, .onDestination),
            Case(.committing, .killDestinationService, .onDestination),
            Case(.committing, .cutClusterLink, .onDestination),
            Case(.committing, .stopSourceQEMU, .onDestination),
            Case(.committing, .stopDestinationQEMU, .onDestination, healedAfter: 3),
            Case(.committing, .fullDestinationDisk, .onDestination),

            Case(.resuming, .killSourceQEMU, .onDestination),
            Case(.resuming, .killDestinationQEMU, .onSource),
            Case(.resuming, .killSourceService, .onDestination),
            Case(.resuming, .killDestinationService, .onDestination),
            Case(.resuming, .cutClusterLink, .onDestination),
            Case(.resuming, .stopDestinationQEMU, .onDestination, healedAfter: 3),

            Case(.after, .killDestinationQEMU, .bootedOnDestination),
            Case(.after, .killDestinationService, .onDestination),
            Case(.after, .killSourceService, .onDestination),
        ]

        @Test("It runs on exactly one node, and a retry works", .timeLimit(.minutes(4)), arguments: cases)
        func fault(_ test: Case) async throws {
            let stage = try Stage.get()
            let machine = stage.machine
            let place = try await machine.ready()
            let source = place.node
            let destination = other(source)
            let process = try #require(try machine.processes(on: source).first)

            let held = try test.moment.held.map { try stage.hold($0, on: source) }
            do {
                try await RunWatcher.during(machine) {
                    // 25 MB/s: the first pass takes seconds, in which something can go wrong.
                    let bandwidth: UInt64? = test.moment == .firstPass ? 200_000_000 : nil
                    let migration = try await machine.start(machine.order(to: destination, bandwidth: bandwidth))
                    try await machine.wait(for: test.moment.phase, of: migration, within: 20)
                    if test.moment == .firstPass { try await machine.waitForMemory(of: migration) }
                    try await test.fault.inject(stage, machine, source: source)
                    try held?.release()
                    let heal = Task {
                        guard let seconds = test.healedAfter else { return }
                        try await Task.sleep(for: .seconds(seconds))
                        try await test.fault.heal(stage, machine, source: source)
                    }
                    if test.fault == .cutClusterLink, test.moment != .preparing {
                        // Nobody can tell the destination: it reads on the shared disk that the machine is its own.
                        let runs = try await eventually(within: 20) { try await machine.runs(on: destination) }
                        #expect(runs, "It does not run while the link is cut.")
                        try await test.fault.heal(stage, machine, source: source)
                    }
                    let record = try await machine.record(of: migration, within: 60)
                    let end = try await machine.settle(within: MovingMachine.bootSeconds)
                    try await heal.value
                    try check(test.end, end.node, source: source, process: process, machine)
                    if test.healedAfter == nil { try await test.fault.heal(stage, machine, source: source) }
                    #expect(record.owner == end.node, "\(record)")
                    #expect((record.outcome == .completed) == (end.node == destination), "\(record)")
                    #expect(record.message.contains("\(machine.name)") && record.message.hasSuffix("."), "\(record.message)")
                    // Nothing has changed by the healing.
                    let rest = try await machine.settle(within: 20)
                    #expect(rest == end)

                    try await machine.quiet()
                    let retry = try await machine.migrate(to: other(end.node))
                    #expect(retry.outcome == .completed, "\(retry)")
                    let last = try await machine.settle(within: 20)
                    #expect(last.node == other(end.node) && last.epoch > end.epoch)
                }
            } catch {
                try held?.release()
                try? await test.fault.heal(stage, machine, source: source)
                throw error
            }
            let journal = try await machine.journal()
            #expect(journal.good, "\(journal)")
        }

        private func check(_ expected: End, _ node: NodeName, source: NodeName, process: Int32, _ machine: MovingMachine) throws {
            let now = try #require(try machine.processes(on: node).first)
            let hasBooted = now != process && !MovingMachine.isReceived(now)
            switch expected {
            case .onSource: #expect(node == source && now == process)
            case .onDestination: #expect(node != source && !hasBooted)
            case .onEither: #expect(!hasBooted)
            case .bootedOnSource: #expect(node == source && hasBooted)
            case .bootedOnDestination: #expect(node != source && hasBooted)
            }
        }
    }
}
