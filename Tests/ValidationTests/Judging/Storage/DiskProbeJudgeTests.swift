import ClusterModel
import Foundation
import Testing

@testable import Validation

@Suite("Judges of what was tried on disks")
struct DiskProbeJudgeTests {
    static let (n1, n2) = (NodeName(unchecked: "n1"), NodeName(unchecked: "n2"))
    static let disk = DiskID("naa.6001")
    static func result(_ test: ValidationTest, _ outcome: TestOutcome) -> TestResult { TestResult(test, outcome, milliseconds: 0) }

    // MARK: identity

    static func name(_ lun: Int, _ id: String?, serial: String = "S", _ byteCount: UInt64 = 1 << 30) -> DiskName {
        DiskName(lun: lun, id: id.map { DiskID($0) }, serial: serial, byteCount: byteCount)
    }
    static func names(_ first: [DiskName], again: [DiskName]? = nil, other: [DiskName]? = nil) -> TestResult {
        result(
            StorageCatalogue.identity,
            DiskNamesJudge.judge([
                (n1, .init(first: first, again: again ?? first)), (n2, .init(first: other ?? first, again: other ?? first)),
            ]))
    }

    @Test("Disks that name themselves uniquely pass, each once")
    func unique() {
        let result = Self.names([Self.name(1, "a", serial: "1"), Self.name(2, "b", serial: "2")])
        #expect(result.verdict == .pass && result.findings.map(\.subject.disk?.rawValue) == ["a", "b"])
        #expect(Self.names([]).verdict == .notApplicable)
    }

    @Test("Two LUNs with one identity")
    func doubles() {
        let result = Self.names([Self.name(2, "a"), Self.name(1, "b"), Self.name(3, "a")])
        #expect(result.verdict == .failure && result.headline == "LUN 2 and LUN 3 have one identity")
        #expect(result.complaints.map(\.subject) == [.disk(DiskID("a"))])
        #expect(result.complaints[0].cure?.contains("a copied LUN needs new ones") == true)
    }

    @Test("An identity that changes, one for two disks, and none")
    func unstable() {
        let changed = Self.names([Self.name(1, "a")], again: [Self.name(1, "b")])
        #expect(changed.verdict == .failure && changed.headline == "the identity of LUN 1 changes")
        let two = Self.names([Self.name(1, "a", serial: "1")], other: [Self.name(1, "a", serial: "2")])
        #expect(two.verdict == .failure && two.complaints[0].subject == .disk(DiskID("a"), node: Self.n2))
        let sizes = Self.names([Self.name(1, "a", 1 << 30)], other: [Self.name(1, "a", 2 << 30)])
        #expect(sizes.verdict == .failure)
        let none = Self.names([Self.name(4, nil)])
        #expect(none.verdict == .warning && none.complaints[0].subject == .node(Self.n1, item: "LUN 4"))
    }

    // MARK: speed

    @Test(
        "Latency",
        arguments: [
            ([0.3, 0.4], [0.3, 0.4], Verdict.pass), ([20, 30], [25, 30], .warning), ([0.3, 0.4], [8, 9], .warning),
            ([0.3, 0.4], [0.5, 1_200], .failure), ([0.3], [], .failure),
            // One answer that is late: a moment's doing, not the disk's.
            ([0.3, 0.4], Array(repeating: 0.4, count: 40) + [1_200], .warning),
        ])
    func latency(first: [Double], second: [Double], expected: Verdict) {
        let outcome = DiskSpeedJudges.latency(
            Self.disk, [(Self.n1, .init(reads: first, writes: first)), (Self.n2, .init(reads: second, writes: second))])
        #expect(Self.result(StorageCatalogue.latency, outcome).verdict == expected)
    }

    @Test("The node that is slower than the other is named, and when both are slow it is the array")
    func slowPath() {
        func findings(_ one: Double, _ other: Double) -> [ValidationFinding] {
            DiskSpeedJudges.latency(
                Self.disk, [(Self.n1, .init(reads: [one], writes: [one])), (Self.n2, .init(reads: [other], writes: [other]))]
            ).findings
        }
        let path = findings(0.3, 40)
        #expect(path.map(\.verdict) == [.pass, .warning] && path[1].cure?.contains("n2's storage network") == true)
        let array = findings(38, 40)
        #expect(array.map(\.verdict) == [.warning, .warning] && array[0].cure?.contains("it is the array") == true)
        #expect(array[1].figures.map(\.name) == ["Read latency", "Write latency", "Median write"])
    }

    @Test(
        "Throughput",
        arguments: [
            (UInt64(500), UInt64(400), Verdict.pass), (500, 100, .warning), (500, 0, .failure), (5, 5, .warning),
        ])
    func throughput(first: UInt64, second: UInt64, expected: Verdict) {
        func evidence(_ mebibytes: UInt64) -> DiskThroughputQuestion.Evidence { .init(byteCount: mebibytes << 20, milliseconds: 1_000) }
        let outcome = DiskSpeedJudges.throughput(Self.disk, [(Self.n1, evidence(first)), (Self.n2, evidence(second))])
        #expect(Self.result(StorageCatalogue.throughput, outcome).verdict == expected)
        #expect(DiskSpeedJudges.throughput(Self.disk, [(Self.n1, .init(byteCount: 5, milliseconds: 0))]).findings[0].verdict == .failure)
    }

    // MARK: truth

    @Test(
        "Coherence",
        arguments: [
            (ScratchPattern.Reading.whole(7), Verdict.pass), (.whole(6), .failure), (.mixed, .failure), (.other, .failure),
        ])
    func coherence(read: ScratchPattern.Reading, expected: Verdict) {
        let rounds = [
            DiskTruthJudges.CoherenceRound(writer: Self.n1, reader: Self.n2, wrote: 6, read: .whole(6)),
            DiskTruthJudges.CoherenceRound(writer: Self.n1, reader: Self.n2, wrote: 7, read: read),
        ]
        let outcome = DiskTruthJudges.coherence(Self.disk, [Self.n1, Self.n2], rounds)
        #expect(Self.result(StorageCatalogue.coherence, outcome).verdict == expected)
        #expect(outcome.headline == (expected == .pass ? nil : "n2 read old data from naa.6001"))
        if expected == .failure { #expect(outcome.findings[0].reason.hasPrefix("1 of 2 times n2 did not read")) }
    }

    static func watch(
        reads: Int = 900, seen: Int = 50, mixedOnce: Int = 0, mixedTwice: Int = 0, backwards: Int = 0
    ) -> DiskWatchQuestion.Evidence {
        .init(reads: reads, seen: seen, mixedOnce: mixedOnce, mixedTwice: mixedTwice, backwards: backwards)
    }

    @Test(
        "Atomicity",
        arguments: [
            (watch(), 500, Verdict.pass), (watch(mixedOnce: 1), 500, .warning), (watch(mixedOnce: 2, mixedTwice: 1), 500, .failure),
            (watch(backwards: 1), 500, .failure), (watch(), 0, .warning), (watch(reads: 3, seen: 1), 500, .warning),
        ])
    func atomicity(evidence: DiskWatchQuestion.Evidence, writes: Int, expected: Verdict) {
        let outcome = DiskTruthJudges.atomicity(Self.disk, writer: Self.n1, writes: writes, [(Self.n2, evidence)])
        #expect(Self.result(StorageCatalogue.atomicity, outcome).verdict == expected)
        #expect((outcome.headline != nil) == (expected == .failure))
    }

    static func flushed(
        cache: Bool?, flushes: [Double], roundTrip: Double = 0.2, roundTrips: [Double]? = nil, protected: Bool? = nil,
        problem: String? = nil
    ) -> TestResult {
        var evidence = DiskFlushQuestion.Evidence()
        evidence.hasWriteCache = cache
        evidence.hasProtectedCache = protected
        evidence.flushes = flushes
        evidence.roundTrips = roundTrips ?? [roundTrip]
        evidence.dirtyByteCount = 4 << 20
        evidence.flushProblem = problem
        return result(StorageCatalogue.flush, DiskTruthJudges.flush(disk, node: n1, evidence))
    }

    @Test("A cache that is flushed in no time is suspicious, unless there is none or it is protected")
    func lyingFlush() {
        let lie = Self.flushed(cache: true, flushes: [0.21])
        #expect(lie.verdict == .warning && lie.complaints[0].reason.contains("flushing it takes no time"))
        #expect(lie.complaints[0].cure?.contains("battery") == true)
        #expect(Self.flushed(cache: nil, flushes: [0.21]).verdict == .warning)
        #expect(Self.flushed(cache: true, flushes: [6], roundTrip: 4).verdict == .warning)
        #expect(Self.flushed(cache: true, flushes: [9]).verdict == .pass)
        // A busy machine makes both slow now and then, and tells nothing by it.
        #expect(Self.flushed(cache: true, flushes: [0.2, 0.21, 0.22, 40, 60, 90]).verdict == .warning)
        #expect(Self.flushed(cache: true, flushes: [6, 7, 8, 9], roundTrips: [0.2, 0.3, 20, 30]).verdict == .pass)
        #expect(Self.flushed(cache: false, flushes: [0.21]).verdict == .pass)
        #expect(Self.flushed(cache: true, flushes: [0.21], protected: true).verdict == .pass)
    }

    @Test("A cache that cannot be flushed fails; without a cache no flush is needed")
    func refusedFlush() {
        let refused = Self.flushed(cache: true, flushes: [], problem: "It answered CHECK CONDITION.")
        #expect(refused.verdict == .failure && refused.headline == "naa.6001 cannot be flushed")
        #expect(Self.flushed(cache: nil, flushes: [], problem: "It answered CHECK CONDITION.").verdict == .failure)
        #expect(Self.flushed(cache: false, flushes: [], problem: "It answered CHECK CONDITION.").verdict == .pass)
        #expect(Self.flushed(cache: true, flushes: []).verdict == .failure)
    }
}

@Suite("What tests write")
struct ScratchPatternTests {
    static let run = UUID()

    @Test("A pattern is known again, by its run only", arguments: [512, 4_096, 1 << 20])
    func whole(byteCount: Int) {
        let bytes = ScratchPattern(run: Self.run, sequence: 0x0102_0304_0506_0708).bytes(byteCount)
        #expect(bytes.count == byteCount)
        #expect(ScratchPattern.read(bytes, run: Self.run) == .whole(0x0102_0304_0506_0708))
        #expect(ScratchPattern.read(bytes, run: UUID()) == .other)
        #expect(ScratchPattern.isOurs(bytes[...], run: Self.run) && !ScratchPattern.isOurs(bytes[...], run: UUID()))
    }

    @Test("A mixture is seen wherever it begins", arguments: [1, 24, 25, 31, 32, 500, 511])
    func mixed(at: Int) {
        let (old, new) = (ScratchPattern(run: Self.run, sequence: 1).bytes(512), ScratchPattern(run: Self.run, sequence: .max).bytes(512))
        let mixture = Array(new[..<at] + old[at...])
        let reading = ScratchPattern.read(mixture, run: Self.run)
        // The head is the same in both: up to its end the mixture is the old one.
        #expect(reading == (at <= 24 ? .whole(1) : .mixed))
    }

    @Test("Sectors of two writes are a mixture, and foreign bytes are nobody's")
    func sectors() {
        let mixture = ScratchPattern(run: Self.run, sequence: 1).bytes(512) + ScratchPattern(run: Self.run, sequence: 2).bytes(512)
        #expect(ScratchPattern.read(mixture, run: Self.run) == .mixed)
        #expect(ScratchPattern.read(Array(mixture[..<512]) + [UInt8](repeating: 0, count: 512), run: Self.run) == .mixed)
        for count in [0, 1, 23, 511, 512, 4_096] {
            #expect(ScratchPattern.read([UInt8](repeating: 0, count: count), run: Self.run) == .other)
        }
        #expect(!ScratchPattern.isOurs([1, 2, 3][...], run: Self.run))
    }
}
