import Testing

@testable import SwitchoverFrames

@Suite("Which frames QEMU had read")
struct ReadingProgressTests {
    /// One frame a millisecond, the kernel's count `ahead` of ours, looks while QEMU is `behind` frames late, now and then not at all.
    private func progress(frames: Int, ahead: UInt64, behind: (Int) -> Int) -> ReadingProgress {
        var progress = ReadingProgress()
        for frame in 1...frames {
            progress.passed(Int64(frame) * 1_000)
            guard frame % 10 == 0 else { continue }
            progress.note(taken: UInt64(frame - behind(frame)) + ahead, at: Int64(frame) * 1_000 + 100)
        }
        return progress
    }

    @Test("Frames that wait unread are handed over, and the one that QEMU keeps", arguments: [UInt64(0), 7, 1_000_000])
    func waiting(ahead: UInt64) {
        var progress = progress(frames: 1_000, ahead: ahead) { $0 % 50 == 0 ? 0 : 3 }
        // QEMU took 960 of 1,000 frames when it was stopped; the last of those was not delivered.
        #expect(progress.lastSeen(taken: 960 + ahead, stop: 999_000, passed: 1_000) == 959)
    }

    @Test("With nothing waiting the time of the stop tells about the last frame")
    func nothingWaits() {
        var progress = progress(frames: 1_000, ahead: 5) { _ in 0 }
        #expect(progress.lastSeen(taken: 1_005, stop: 1_010_000, passed: 1_000) == 1_000)
        var late = self.progress(frames: 1_000, ahead: 5) { _ in 0 }
        // It passed after the guest had stopped: QEMU took it and the guest never saw it.
        #expect(late.lastSeen(taken: 1_005, stop: 999_600, passed: 1_000) == 999)
    }

    @Test("Without the kernel's count the time decides, a little early")
    func withoutCount() {
        var progress = progress(frames: 100, ahead: 0) { _ in 0 }
        #expect(progress.lastSeen(taken: nil, stop: 50_400, passed: 100) == 49)
        var fresh = ReadingProgress()
        fresh.passed(1_000)
        #expect(fresh.lastSeen(taken: 44, stop: 5_000, passed: 1) == 1, "nothing was learned about the two counts")
        var empty = ReadingProgress()
        #expect(empty.lastSeen(taken: 3, stop: 1, passed: 0) == 0)
    }

    @Test("It never claims frames that did not pass, whatever the counts say", arguments: [UInt64(0), 1, 50, .max])
    func nonsense(taken: UInt64) {
        var progress = progress(frames: 200, ahead: 0) { _ in 0 }
        #expect(progress.lastSeen(taken: taken, stop: 0, passed: 200) <= 200)
    }
}
