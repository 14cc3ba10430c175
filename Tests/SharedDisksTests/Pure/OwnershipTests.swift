import ClusterModel
import Foundation
import SCSI
import Testing

@testable import SharedDisks

@Suite("Ownership records", .timeLimit(.minutes(2)))
struct OwnershipTests {
    static let volume = UUID()
    static let vm = UUID()
    static let nodes = [NodeName(unchecked: "node-a"), NodeName(unchecked: "node-b")]
    static func record(_ epoch: UInt64) -> OwnershipRecord { OwnershipRecord(vmID: vm, owner: nodes[Int(epoch % 2)], epoch: epoch) }

    @Test(
        "What is encoded is decoded",
        arguments: [
            OwnershipCopy.blank, .owned(record(1)), .owned(record(.max)), .released(epoch: 9),
            .owned(OwnershipRecord(vmID: vm, owner: NodeName(unchecked: String(repeating: "n", count: 63)), epoch: 2)),
        ])
    func roundTrip(copy: OwnershipCopy) {
        let bytes = copy.encoded(volume: Self.volume, slot: 7)
        #expect(bytes.count == 512)
        #expect(OwnershipCopy(parsing: bytes[...], volume: Self.volume, slot: 7) == copy)
    }

    @Test("A record in another place, of another volume, or with any byte changed is not believed")
    func unbelievable() {
        let bytes = OwnershipCopy.owned(Self.record(5)).encoded(volume: Self.volume, slot: 7)
        func isUnreadable(_ copy: OwnershipCopy) -> Bool { if case .unreadable = copy { true } else { false } }
        #expect(isUnreadable(OwnershipCopy(parsing: bytes[...], volume: Self.volume, slot: 8)))
        #expect(isUnreadable(OwnershipCopy(parsing: bytes[...], volume: UUID(), slot: 7)))
        #expect(isUnreadable(OwnershipCopy(parsing: bytes.prefix(511), volume: Self.volume, slot: 7)))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(isUnreadable(OwnershipCopy(parsing: changed[...], volume: Self.volume, slot: 7)), "byte \(index)")
        }
    }

    @Test("A record with a good checksum and an impossible name or state", arguments: [0, 1])
    func sealedNonsense(kind: Int) {
        var bytes = Array(OwnershipCopy.owned(Self.record(5)).encoded(volume: Self.volume, slot: 7).prefix(508))
        if kind == 0 { bytes.replaceSubrange(64..<68, with: [0xff, 0xff, 0xff, 0xff]) } else { bytes[15] = 9 }
        if case .unreadable = OwnershipCopy(parsing: bytes.sealed()[...], volume: Self.volume, slot: 7) {} else { Issue.record("believed") }
    }

    @Test(
        "Which copy counts",
        arguments: [
            (.blank, .blank, .free(lastEpoch: 0), 0), (.owned(record(1)), .blank, .owned(record(1)), 1),
            (.owned(record(3)), .owned(record(2)), .owned(record(3)), 1), (.owned(record(3)), .owned(record(4)), .owned(record(4)), 0),
            (.owned(record(3)), .unreadable("torn"), .owned(record(3)), 1), (.unreadable("torn"), .owned(record(4)), .owned(record(4)), 0),
            (.owned(record(3)), .released(epoch: 4), .free(lastEpoch: 4), 0),
            (.owned(record(5)), .released(epoch: 4), .owned(record(5)), 1),
            (.unreadable("torn"), .blank, .unreadable("torn"), 0), (.unreadable("a"), .unreadable("b"), .unreadable("a"), 0),
            (.owned(record(3)), .released(epoch: 3), .unreadable("its copies contradict each other at epoch 3"), 1),
        ] as [(OwnershipCopy, OwnershipCopy, OwnershipCopies.Meaning, Int)])
    func meaning(first: OwnershipCopy, second: OwnershipCopy, expected: OwnershipCopies.Meaning, next: Int) {
        let copies = OwnershipCopies(copies: [first, second])
        #expect(copies.meaning == expected)
        #expect(copies.next == next)
    }

    static func claimed() async throws -> (MemoryTarget, ClusterSharedVolume, OwnershipSlot) {
        let (target, volume) = try await VolumeTests.make()
        return (target, volume, try await volume.claimSlot(vmID: vm, owner: nodes[1]))
    }

    @Test("A torn write leaves the record before it")
    func tornWrite() async throws {
        let (target, volume, slot) = try await Self.claimed()
        for epoch in UInt64(2)...5 { try await volume.writeOwnership(slot, Self.record(epoch)) }
        // 5 is in the first copy, so the next write goes to the second; tear it there.
        let offset = Int(VolumeLayout.ownershipOffset(slot: slot.index, copy: 1))
        target.edit { unit in
            let torn = OwnershipCopy.owned(Self.record(6)).encoded(volume: volume.id, slot: slot.index)
            unit.bytes.replaceSubrange(offset..<offset + 64, with: torn.prefix(64))
        }
        #expect(try await volume.readOwnership(slot) == Self.record(5))
        try await volume.writeOwnership(slot, Self.record(6))
        #expect(try await volume.readOwnership(slot) == Self.record(6))
    }

    @Test("Two unreadable copies are never free")
    func unreadable() async throws {
        let (target, volume, slot) = try await Self.claimed()
        let offset = Int(VolumeLayout.ownershipOffset(slot: slot.index, copy: 0))
        target.edit { unit in for copy in 0..<2 { unit.bytes[offset + copy * 4_096 + 100] ^= 0xff } }
        await #expect(throws: VolumeError.self) { try await volume.readOwnership(slot) }
        await #expect(throws: VolumeError.self) { try await volume.clearSlot(slot) }
        await #expect(throws: OwnershipWriteError.self) { try await volume.writeOwnership(slot, Self.record(2)) }
        let other = try await volume.claimSlot(vmID: UUID(), owner: Self.nodes[0])
        #expect(other.index != slot.index)
        try await volume.clearSlot(slot, evenIfUnreadable: true)
        #expect(try await volume.readOwnership(slot) == nil)
    }

    @Test("Old epochs, other machines, free slots and slots of other disks are refused before anything is written")
    func refusals() async throws {
        let (target, volume, slot) = try await Self.claimed()
        try await volume.writeOwnership(slot, Self.record(7))
        let writes = target.log.filter { $0 == "WRITE(16)" }.count
        let attempts = [
            (slot, Self.record(7)), (slot, Self.record(6)),
            (slot, OwnershipRecord(vmID: UUID(), owner: Self.nodes[0], epoch: 8)),
            (OwnershipSlot(disk: slot.disk, index: slot.index + 1), Self.record(8)),
            (OwnershipSlot(disk: slot.disk, index: 1_024), Self.record(8)), (OwnershipSlot(disk: slot.disk, index: -1), Self.record(8)),
            (OwnershipSlot(disk: DiskID("naa.6"), index: slot.index), Self.record(8)),
        ]
        for (slot, record) in attempts {
            let error = await #expect(throws: OwnershipWriteError.self) { try await volume.writeOwnership(slot, record) }
            if case .notWritten? = error {} else { Issue.record("\(String(describing: error))") }
        }
        #expect(target.log.filter { $0 == "WRITE(16)" }.count == writes)
        await #expect(throws: VolumeError.alreadyOwned(Self.vm, slot)) { try await volume.claimSlot(vmID: Self.vm, owner: Self.nodes[0]) }
    }

    @Test("The epoch of a slot goes on over its release")
    func epochGoesOn() async throws {
        let (_, volume, slot) = try await Self.claimed()
        try await volume.writeOwnership(slot, Self.record(9))
        try await volume.clearSlot(slot)
        #expect(try await volume.readOwnership(slot) == nil)
        let vm = UUID()
        #expect(try await volume.claimSlot(vmID: vm, owner: Self.nodes[0]) == slot)
        #expect(try await volume.readOwnership(slot) == OwnershipRecord(vmID: vm, owner: Self.nodes[0], epoch: 11))
    }

    @Test("A lost answer is an unknown outcome until it is resolved", arguments: [true, false])
    func lostAnswer(isDone: Bool) async throws {
        let (target, volume, slot) = try await Self.claimed()
        target.inject(.lostAnswer(isDone: isDone))
        let error = await #expect(throws: OwnershipWriteError.self) { try await volume.writeOwnership(slot, Self.record(2)) }
        if case .unknown? = error {} else { Issue.record("\(String(describing: error))") }
        let refused = await #expect(throws: OwnershipWriteError.self) { try await volume.writeOwnership(slot, Self.record(3)) }
        if case .notWritten? = refused {} else { Issue.record("\(String(describing: refused))") }
        #expect(target.resetCount == 0)
        #expect(try await volume.resolveAmbiguousWrite(slot) == Self.record(isDone ? 2 : 1))
        #expect(target.resetCount == 1)
        try await volume.writeOwnership(slot, Self.record(3))
    }

    @Test(
        "A fenced node's write certainly did not happen", arguments: [SCSIReply.attention(0x2a03), SCSIReply(status: .reservationConflict)])
    func fenced(answer: SCSIReply) async throws {
        let (target, volume, slot) = try await Self.claimed()
        // The first answer is for the read that looks at the slot.
        let raw = target.bytes()
        let offset = Int(VolumeLayout.ownershipOffset(slot: slot.index, copy: 0))
        target.inject(.answers([SCSIReply(status: .good, data: Array(raw[offset..<offset + 8_192])), answer]))
        let error = await #expect(throws: OwnershipWriteError.self) { try await volume.writeOwnership(slot, Self.record(2)) }
        if case .notWritten? = error {} else { Issue.record("\(String(describing: error))") }
        #expect(try await volume.readOwnership(slot) == Self.record(1))
    }

    @Test("All slots are found and then there is none left")
    func allSlots() async throws {
        let (target, volume) = try await VolumeTests.make()
        target.edit { unit in
            for slot in 0..<1_023 {
                let copy = OwnershipCopy.owned(OwnershipRecord(vmID: UUID(), owner: Self.nodes[0], epoch: 1))
                let offset = Int(VolumeLayout.ownershipOffset(slot: slot, copy: 0))
                unit.bytes.replaceSubrange(offset..<offset + 512, with: copy.encoded(volume: volume.id, slot: slot))
            }
        }
        #expect(try await volume.claimSlot(vmID: UUID(), owner: Self.nodes[0]).index == 1_023)
        await #expect(throws: VolumeError.noFreeSlot(volume: "csv1")) { try await volume.claimSlot(vmID: UUID(), owner: Self.nodes[0]) }
    }
}
