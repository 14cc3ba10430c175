import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

extension MigrationTests {
    /// A machine with all that a definition offers besides the least that a guest needs.
    @Suite(.serialized)
    struct Furnished {
        @Test("A machine with UEFI, two disks, two adapters and a display boots and moves", .timeLimit(.minutes(6)))
        func moves() async throws {
            let stage = try Stage.get()
            let second = try #require(MACAddress("52:54:00:77:02:17"))
            var machine = MovingMachine(lab: stage.lab, clients: stage.clients, number: 17)
            machine.change = { definition in
                definition.firmware = .uefi
                definition.disks.append(VMDisk(name: "data", byteCount: 32 << 20))
                definition.interfaces.append(VMInterface(name: "net1", mac: second, bridge: "br0"))
                definition.vnc = true
            }
            try await stage.machine.quiet()
            let furnished = machine
            try await furnished.whileThere {
                let began = try await furnished.client().machine(furnished.name).machine
                #expect(began.extents.keys.sorted() == ["data", "root"] && began.firmwareVariables != nil)
                for kind in [MigrationKind.live, .quick] {
                    let source = try await furnished.settle(within: 20).node
                    try await RunWatcher.during(furnished) {
                        let traffic = try await Traffic(stage.lab, to: furnished)
                        let record = try await furnished.migrate(to: other(source), kind)
                        let seen = try await traffic.end()
                        #expect(record.outcome == .completed && record.owner == other(source), "\(record)")
                        for udp in seen.udp { #expect(udp.answered > 50 && udp.lost == 0, "\(kind): \(udp), \(record)") }
                    }
                    #expect(FileManager.default.fileExists(atPath: try furnished.folder(on: other(source)) + "/vnc.sock"))
                }
                let journal = try await furnished.journal(boots: 1)
                #expect(journal.good && journal.boots == 1, "\(journal)")
            }
        }
    }
}
