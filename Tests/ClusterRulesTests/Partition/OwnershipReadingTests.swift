import ClusterModel
import ClusterRules
import Foundation
import Testing

@Suite("Who may run a machine, by log and shared disk")
struct OwnershipReadingTests {
    private static let vm = StateFixture.machine("web").definition.id
    private static let here = NodeName(unchecked: "n1")
    private static let there = NodeName(unchecked: "n2")
    private static func record(_ owner: NodeName, _ epoch: UInt64) -> OwnershipRecord {
        OwnershipRecord(vmID: vm, owner: owner, epoch: epoch)
    }

    @Test("The log counts, the disk follows, and may only forbid")
    func table() {
        let (here, there) = (Self.record(Self.here, 5), Self.record(Self.there, 5))
        #expect(ownership(log: here, disk: here, on: Self.here) == .agreed(here))
        #expect(ownership(log: there, disk: there, on: Self.here) == .agreed(there))
        for behind in [Self.record(Self.there, 4), Self.record(Self.here, 4)] {
            #expect(ownership(log: here, disk: behind, on: Self.here) == .writeForward(here))
            // Not ours to write.
            #expect(ownership(log: there, disk: behind, on: Self.here) == .agreed(there))
        }
        for ahead in [Self.record(Self.there, 6), Self.record(Self.here, 6), Self.record(Self.there, 5)] {
            guard case .contradiction = ownership(log: here, disk: ahead, on: Self.here) else {
                Issue.record("\(ahead) is taken for agreement")
                continue
            }
        }
    }

    /// Goal: whatever stands on log and disk, two nodes that read both are never both named.
    @Test("Two readers never both find their own name")
    func neverBoth() {
        let names = [Self.here, Self.there]
        func mayRun(_ log: OwnershipRecord, _ disk: OwnershipRecord, _ node: NodeName) -> Bool {
            switch ownership(log: log, disk: disk, on: node) {
            case .agreed(let record), .writeForward(let record): record.owner == node
            case .contradiction: false
            }
        }
        for owner in names {
            for recorded in names {
                for epoch in UInt64(4)...6 {
                    let (log, disk) = (Self.record(owner, 5), Self.record(recorded, epoch))
                    #expect(!(mayRun(log, disk, Self.here) && mayRun(log, disk, Self.there)), "\(log) \(disk)")
                }
            }
        }
    }
}
