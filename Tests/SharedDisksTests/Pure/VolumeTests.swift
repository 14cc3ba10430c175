import ClusterModel
import Foundation
import SCSI
import Testing

@testable import SharedDisks

@Suite("Volumes", .timeLimit(.minutes(3)))
struct VolumeTests {
    static func make(_ unit: MemoryTarget.Unit = MemoryTarget.disk(mebibytes: 32)) async throws -> (MemoryTarget, ClusterSharedVolume) {
        let target = MemoryTarget([1: unit])
        let disk = try await SharedDisk.attach(lunOne, of: target)
        return (target, try await ClusterSharedVolume.initialize(disk, label: "csv1", cluster: "lab"))
    }

    @Test(
        "Signatures are recognised",
        arguments: [
            (0, "LUKS\u{ba}", nil), (0, "XFSB", "an XFS file system"), (65_600, "_BHRfS_M", "a btrfs file system"),
            (512, "LABELONE", "an LVM2 physical volume"), (4_086, "SWAPSPACE2", "a Linux swap space"),
            (3, "NTFS    ", "an NTFS file system"),
            (32_769, "CD001", "an ISO 9660 image"), (82, "FAT32   ", "a FAT32 file system"), (700_000, "x", "data of an unknown kind"),
            (33_554_431, "x", "data of an unknown kind"), (32_505_856, "x", "data of an unknown kind"),
        ] as [(Int, String, String?)])
    func signatures(offset: Int, text: String, expected: String?) async throws {
        var unit = MemoryTarget.disk(mebibytes: 32)
        let bytes = text.unicodeScalars.map { UInt8($0.value) }
        unit.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        let target = MemoryTarget([1: unit])
        let disk = try await SharedDisk.attach(lunOne, of: target)
        let error = await #expect(throws: VolumeError.self) {
            try await ClusterSharedVolume.initialize(disk, label: "csv1", cluster: "lab")
        }
        #expect(error?.description.contains(expected ?? "data of an unknown kind") == true, "\(error?.description ?? "")")
        #expect(target.bytes() == unit.bytes)
    }

    @Test(
        "Binary signatures",
        arguments: [
            (0, [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe], "LUKS"), (4_096, [0xfc, 0x4e, 0x2b, 0xa9], "RAID"),
            (0, [0x51, 0x46, 0x49, 0xfb], "qcow2"),
            (131_072, [0x0c, 0xb1, 0xba, 0, 0, 0, 0, 0], "ZFS"), (33_554_432 - 8_192, [0xfc, 0x4e, 0x2b, 0xa9], "RAID"),
            (33_554_432 - 65_536, [0xfc, 0x4e, 0x2b, 0xa9], "RAID"), (510, [0x55, 0xaa], "boot sector"),
        ] as [(Int, [UInt8], String)])
    func binarySignatures(offset: Int, magic: [UInt8], expected: String) {
        var bytes = [UInt8](repeating: 0, count: 32 << 20)
        bytes.replaceSubrange(offset..<offset + magic.count, with: magic)
        let found = ForeignContent.recognise(
            head: Array(bytes.prefix(1 << 20)), tail: Array(bytes.suffix(1 << 20)), byteCount: UInt64(bytes.count))
        #expect(found?.contains(expected) == true, "\(found ?? "nothing")")
    }

    @Test("Short and empty ends are no trap", arguments: [0, 1, 7, 8, 100, 511, 512, 1_100, 4_100])
    func shortEnds(count: Int) {
        let zeros = [UInt8](repeating: 0, count: count)
        #expect(ForeignContent.recognise(head: zeros, tail: zeros, byteCount: UInt64(count)) == nil)
    }

    /// Goal: a crash while a volume is made leaves an empty disk or a volume that works. Method: the node dies at each write in turn, half
    /// of that write on the medium; another node looks, and goes on.
    @Test("A crash at any write of initialising is harmless", arguments: [512, 4_096])
    func crashWhileInitialising(blockByteCount: Int) async throws {
        var outcomes: Set<String> = []
        for writes in 0..<40 {
            let target = MemoryTarget([1: MemoryTarget.disk(mebibytes: 32, blockByteCount: blockByteCount)])
            let disk = try await SharedDisk.attach(lunOne, of: target)
            target.inject(.crash(afterWrites: writes))
            let whole = (try? await ClusterSharedVolume.initialize(disk, label: "csv1", cluster: "lab")) != nil
            target.inject(nil)
            switch try await ClusterSharedVolume.inspect(disk) {
            case .empty:
                outcomes.insert("empty")
                _ = try await ClusterSharedVolume.initialize(disk, label: "csv2", cluster: "lab")
            case .clusterSharedVolume:
                outcomes.insert(whole ? "whole" : "mended")
                let volume = try await ClusterSharedVolume.open(disk)
                let mended = try await volume.repair()
                #expect(whole == mended.isEmpty, "\(writes): \(mended)")
                #expect(try await volume.repair() == [])
            case let other: Issue.record("after \(writes) writes: \(other)")
            }
            let volume = try await ClusterSharedVolume.open(disk)
            let extent = try await volume.allocate(name: "vm1/disk0", byteCount: 1 << 20)
            #expect(try await volume.extents() == [NamedExtent(name: "vm1/disk0", extent: extent)])
            if whole { break }
        }
        #expect(outcomes == ["empty", "mended", "whole"])
    }

    /// Goal: giving room out and taking it back leaves the state before or the one after. Method as above.
    @Test("A crash at any write of an allocation or release loses nothing", arguments: [true, false])
    func crashWhileAllocating(isRelease: Bool) async throws {
        var outcomes: Set<[String]> = []
        for writes in 0..<20 {
            let (target, volume) = try await Self.make()
            _ = try await volume.allocate(name: "old", byteCount: 2 << 20)
            target.inject(.crash(afterWrites: writes))
            let whole: Bool
            if isRelease {
                whole = (try? await volume.release(name: "old")) != nil
            } else {
                whole = (try? await volume.allocate(name: "new", byteCount: 1 << 20)) != nil
            }
            target.inject(nil)
            let again = try await ClusterSharedVolume.open(volume.disk)
            let before = try await again.extents().map(\.name)
            try await again.repair()
            #expect(try await again.extents().map(\.name) == before)
            #expect(try await again.repair() == [])
            outcomes.insert(before)
            if whole { break }
        }
        #expect(outcomes == (isRelease ? [["old"], []] : [["old"], ["old", "new"]]))
    }

    @Test("A crash while a foreign disk is overwritten never yields a broken volume")
    func crashWhileForcing() async throws {
        for writes in 0..<40 {
            var unit = MemoryTarget.disk(mebibytes: 32)
            unit.bytes.replaceSubrange(1_080..<1_082, with: [0x53, 0xef])
            let target = MemoryTarget([1: unit])
            let disk = try await SharedDisk.attach(lunOne, of: target)
            target.inject(.crash(afterWrites: writes))
            let whole = (try? await ClusterSharedVolume.initialize(disk, label: "csv1", cluster: "lab", force: true)) != nil
            target.inject(nil)
            let content = try await ClusterSharedVolume.inspect(disk)
            #expect(!content.isDamaged, "after \(writes) writes: \(content)")
            _ = try await ClusterSharedVolume.initialize(disk, label: "csv1", cluster: "lab", force: true)
            if whole { return }
        }
        Issue.record("initialising never ended")
    }

    @Test(
        "Damage is told from emptiness",
        arguments: [
            ([0..<1 << 20, 31 << 20..<32 << 20], true), ([1 << 20..<(1 << 20) + 8_192], true), ([512..<1_024], false),
            ([31 << 20..<32 << 20], false),
            ([1 << 20..<(1 << 20) + 512], false),
        ] as [([Range<Int>], Bool)])
    func damage(zeroed: [Range<Int>], isFatal: Bool) async throws {
        let (target, volume) = try await Self.make()
        target.edit { unit in for range in zeroed { unit.bytes.replaceSubrange(range, with: repeatElement(0, count: range.count)) } }
        if isFatal {
            #expect(try await ClusterSharedVolume.inspect(volume.disk).isDamaged)
            await #expect(throws: VolumeError.self) { try await ClusterSharedVolume.open(volume.disk) }
            await #expect(throws: VolumeError.self) {
                try await ClusterSharedVolume.initialize(volume.disk, label: "csv1", cluster: "lab")
            }
        } else {
            let again = try await ClusterSharedVolume.open(volume.disk)
            #expect(try await again.repair().count == 1)
            #expect(try await again.repair() == [])
        }
    }

    @Test("A table of another kind over a volume is damage, not ours to mend")
    func overwrittenMBR() async throws {
        let (target, volume) = try await Self.make()
        target.edit { $0.bytes[450] = 0x83 }
        #expect(try await ClusterSharedVolume.inspect(volume.disk).isDamaged)
    }

    @Test("Room: names, doubles, rounding and what does not fit")
    func room() async throws {
        let (_, volume) = try await Self.make()
        #expect(try await volume.freeByteCount() == 14 << 20)
        let first = try await volume.allocate(name: "vm1/disk0", byteCount: 1)
        #expect(first == Extent(disk: volume.disk.id, byteOffset: 17 << 20, byteCount: 1 << 20))
        _ = try await volume.allocate(name: String(repeating: "n", count: 36), byteCount: 3 << 20)
        await #expect(throws: VolumeError.duplicateExtent("vm1/disk0", volume: "csv1")) {
            try await volume.allocate(name: "vm1/disk0", byteCount: 1)
        }
        try await volume.release(name: "vm1/disk0")
        await #expect(throws: VolumeError.noRoom(volume: "csv1", asked: 11 << 20, largestFreeRun: 10 << 20, free: 11 << 20)) {
            try await volume.allocate(name: "vm2/disk0", byteCount: 11 << 20)
        }
        await #expect(throws: VolumeError.unknownExtent("vm1/disk0", volume: "csv1")) { try await volume.release(name: "vm1/disk0") }
        await #expect(throws: VolumeError.unknownExtent("apus-metadata", volume: "csv1")) {
            try await volume.release(name: "apus-metadata")
        }
        for name in ["", String(repeating: "n", count: 37), "a\nb", "apus-metadata"] {
            let error = await #expect(throws: VolumeError.self) { try await volume.allocate(name: name, byteCount: 1) }
            if case .invalidExtentName? = error {} else { Issue.record("\(name): \(String(describing: error))") }
        }
        for size in [0, UInt64.max] { await #expect(throws: VolumeError.self) { try await volume.allocate(name: "x", byteCount: size) } }
    }

    @Test("Concurrent changes of the table do not undo each other")
    func concurrentChanges() async throws {
        let (_, volume) = try await Self.make()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<12 { group.addTask { _ = try await volume.allocate(name: "vm\(index)", byteCount: 1 << 20) } }
            try await group.waitForAll()
        }
        #expect(Set(try await volume.extents().map(\.name)) == Set((0..<12).map { "vm\($0)" }))
    }

    @Test("Labels and sizes that are not possible")
    func refusals() async throws {
        let disk = try await SharedDisk.attach(lunOne, of: MemoryTarget([1: MemoryTarget.disk(mebibytes: 31)]))
        await #expect(throws: VolumeError.tooSmall(disk.id, byteCount: 31 << 20, needed: 32 << 20)) {
            try await ClusterSharedVolume.initialize(disk, label: "csv1", cluster: "lab")
        }
        for label in ["", "Csv", "a b", String(repeating: "x", count: 64)] {
            await #expect(throws: VolumeError.invalidLabel(label)) {
                try await ClusterSharedVolume.initialize(disk, label: label, cluster: "lab")
            }
        }
        await #expect(throws: VolumeError.self) { try await ClusterSharedVolume.initialize(disk, label: "csv1", cluster: "a\u{7}") }
        await #expect(throws: VolumeError.notAVolume(disk.id, content: "nothing")) { try await ClusterSharedVolume.open(disk) }
    }

    @Test("A disk that grew is a volume whose backup has to move")
    func grown() async throws {
        let (target, volume) = try await Self.make()
        target.edit { $0.bytes += [UInt8](repeating: 0, count: 32 << 20) }
        let disk = try await SharedDisk.attach(lunOne, of: target)
        let again = try await ClusterSharedVolume.open(disk)
        #expect(again.id == volume.id)
        #expect(try await !again.repair().isEmpty)
        #expect(try await again.freeByteCount() == 46 << 20)
        #expect(try await again.repair() == [])
    }
}
