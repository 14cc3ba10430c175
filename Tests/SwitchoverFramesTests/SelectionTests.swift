import Testing

@testable import SwitchoverFrames

@Suite("Which frames the guest has missed")
struct SelectionTests {
    @Test(
        "By count, and by time only for the last two taken",
        arguments: [
            // Long before the stop, and yet in the tap: QEMU was kept waiting.
            (UInt64(11), Int64(900_000), true), (12, 999_999, true),
            // Taken, even a moment before the stop: the guest has it.
            (8, 999_999, false), (5, 100, false),
            // The last one taken may be the one that QEMU took after the stop, the one before it that which was put aside at the stop.
            (10, 900_000, true), (10, 899_999, false), (10, 1_000_000, true),
            (9, 998_340, true), (9, 900_000, true), (9, 899_999, false),
        ])
    func byCount(ordinal: UInt64, microseconds: Int64, expected: Bool) {
        let selection = Selection(cut: 1_000_000, lastTaken: 10, oldestLeft: 999_999)
        #expect(selection.wants(ordinal: ordinal, microseconds: microseconds) == expected)
    }

    @Test(
        "Frames that waited in the tap before the stop show that QEMU had stopped reading: two were put aside, however old",
        arguments: [(UInt64(10), true), (9, true), (8, false)])
    func backlog(ordinal: UInt64, expected: Bool) {
        let selection = Selection(cut: 1_000_000, lastTaken: 10, oldestLeft: 800_000)
        #expect(selection.wants(ordinal: ordinal, microseconds: 100) == expected)
    }

    @Test("By time when there is no count", arguments: [(Int64(1_000_000), true), (980_000, true), (979_999, false)])
    func byTime(microseconds: Int64, expected: Bool) {
        #expect(Selection(cut: 1_000_000, lastTaken: nil).wants(ordinal: 1, microseconds: microseconds) == expected)
    }

    @Test("The tap's count finds the last frame taken, whatever was in the tap when counting began", arguments: [0, 1, 700])
    func tapQueue(insideAtFirst: UInt64) throws {
        var queue = TapQueue()
        let takenAtFirst: UInt64 = 5_000
        queue.observe(before: takenAtFirst, after: takenAtFirst, dropped: 3)
        for round in UInt64(1)...4 {
            for _ in 0..<10 { queue.hand() }
            // While QEMU reads, the two readings differ and say nothing.
            queue.observe(before: takenAtFirst + 1, after: takenAtFirst + 2, dropped: 3)
            let taken = takenAtFirst + insideAtFirst + round * 10
            queue.observe(before: taken, after: taken, dropped: 3)
        }
        // Seven more, of which two were taken.
        for _ in 0..<7 { queue.hand() }
        #expect(queue.lastTaken(taken: takenAtFirst + insideAtFirst + 42) == 42)
    }

    @Test("A disturbed count is not believed") func disturbed() {
        func settled() -> TapQueue {
            var queue = TapQueue()
            for _ in 0..<4 { queue.observe(before: 100, after: 100, dropped: 0) }
            return queue
        }
        #expect(settled().lastTaken(taken: 100) == 0)
        var missed = settled()
        missed.missed()
        #expect(missed.lastTaken(taken: 100) == nil)
        var dropped = settled()
        dropped.observe(before: 100, after: 100, dropped: 1)
        #expect(dropped.lastTaken(taken: 100) == nil)
        // Counters that were reset, or are another interface's.
        #expect(settled().lastTaken(taken: 0) == nil)
        #expect(settled().lastTaken(taken: .max) == nil)
        #expect(TapQueue().lastTaken(taken: 0) == nil)
    }

    @Test("The store keeps the newest, in order, and knows what it let go") func store() {
        var store = FrameStore(frameLimit: 10, byteLimit: 1_000_000)
        for ordinal in UInt64(1)...35 { store.append([1, 2, 3], microseconds: Int64(ordinal), ordinal: ordinal) }
        let all = store.frames(after: 0, where: Selection(cut: 1, lastTaken: nil))
        #expect(all.kept.map(\.sequence) == Array(26...35))
        #expect(all.missed == 25)
        let late = store.frames(after: 0, where: Selection(cut: 100_000, lastTaken: 22))
        #expect(late.kept.count == 10)
        #expect(late.missed == 5)
        #expect(store.frames(after: 30, where: Selection(cut: 1, lastTaken: nil)).kept.map(\.sequence) == Array(31...35))
        #expect(store.frames(after: 35, where: Selection(cut: 1, lastTaken: nil)) == ([], 0))
    }

    @Test("The store keeps within its bytes") func storeBytes() {
        var store = FrameStore(frameLimit: 1_000, byteLimit: 1_000)
        for ordinal in UInt64(1)...50 { store.append([UInt8](repeating: 0, count: 300), microseconds: 1, ordinal: ordinal) }
        #expect(store.count == 3)
        store.append([UInt8](repeating: 0, count: 5_000), microseconds: 1, ordinal: 51)
        #expect(store.count == 0)
    }

    @Test("Each arrival answers for one frame of the source") func groups() {
        var groups = GroupFrames(limit: 3)
        let request = plainHeader + frame(to: broadcast, number: 1)
        groups.saw(request)
        groups.saw(request)
        let answers = (0..<3).map { _ in groups.take(request) }
        #expect(answers == [true, true, false])
        for number in UInt32(10)...20 { groups.saw(plainHeader + frame(to: broadcast, number: number)) }
        let isFirstKnown = groups.take(plainHeader + frame(to: broadcast, number: 10))
        let isLastKnown = groups.take(plainHeader + frame(to: broadcast, number: 20))
        #expect(!isFirstKnown, "forgotten: memory is bounded")
        #expect(isLastKnown)
    }
}
