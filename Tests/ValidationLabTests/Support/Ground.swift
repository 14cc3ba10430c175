import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing
import Validation

/// Disks of the lab whose scratch areas hold something that no test may lose, and eyes for what is registered on them.
struct Ground {
    let stage: ValidationStage
    let disks: [DiskID]
    private let files: [String]

    /// The tests of reservations, in the order of the catalogue.
    static let tests = [
        "register", "reserve", "conflict", "preempt", "preempt-and-abort", "clear", "persistence", "arbitration", "defence", "contest",
        "failover", "simultaneous-failover", "fenced-writes",
    ]
    /// Where the scratch area lies on every disk.
    private static let (start, byteCount) = (UInt64(10 << 20), 4 << 20)
    private static let pattern = Data((0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9 | 1) })

    init(luns: [Int]) async throws {
        stage = try ValidationStage.get()
        var disks: [DiskID] = []
        for lun in luns { disks.append(try await stage.disk(lun)) }
        self.disks = disks
        let lab = stage.lab
        files = try luns.map { try lab.backingFile(lun: $0) }
        for file in files {
            let handle = try #require(FileHandle(forWritingAtPath: file))
            try handle.seek(toOffset: Self.start)
            try handle.write(contentsOf: Self.pattern)
            try handle.close()
        }
    }

    private func scratch(_ file: String) throws -> Data {
        let handle = try #require(FileHandle(forReadingAtPath: file))
        try handle.seek(toOffset: Self.start)
        defer { try? handle.close() }
        return try #require(try handle.read(upToCount: Self.byteCount))
    }

    /// Whether a test has written to the scratch area.
    func isMarked(lun: Int) throws -> Bool { try scratch(stage.lab.backingFile(lun: lun)) != Self.pattern }

    /// No key, no trace in a state folder, no byte of the scratch areas that is not as it was.
    func expectClean(within seconds: Double) async throws {
        let isClean = try await eventually(within: seconds, every: 250) {
            guard try files.allSatisfy({ try scratch($0) == Self.pattern }), traces().isEmpty else { return false }
            // A service that has just started may not answer yet.
            return (try? await keys(on: ValidationStage.n1))?.isEmpty == true
        }
        guard !isClean else { return }
        let changed = try files.filter { try scratch($0) != Self.pattern }
        Issue.record("Left behind: keys \(try await keys(on: ValidationStage.n1)), traces \(traces()), changed scratch areas \(changed)")
    }

    private func traces() -> [String] {
        stage.lab.nodes.flatMap { node in
            ((try? FileManager.default.contentsOfDirectory(atPath: node.stateFolder + "/validation")) ?? []).map { "\(node.name)/\($0)" }
        }
    }

    // MARK: Seats

    struct Seat {
        var id: UUID
        var run: UUID
        var node: NodeName
        var key: DiskKey
        var grounds: [ReservationSeatQuestion.Ground]
    }

    func seat(of run: UUID, on node: NodeName) async throws -> Seat {
        let key = DiskKey(run: run, node: 1, number: 1)
        let evidence = try await ask(ReservationSeatQuestion(disks: disks, key: key), run, node)
        return Seat(id: evidence.seat, run: run, node: node, key: key, grounds: evidence.disks)
    }

    /// - Returns: What the first disk answered.
    func act(_ act: ReservationAct, _ seat: Seat) async throws -> ReservationAnswer {
        try #require(try await ask(ReservationActQuestion(seat: seat.id, act: act), seat.run, seat.node).answers.first)
    }

    func finish(_ seat: Seat) async throws { #expect(try await ask(FinishQuestion(), seat.run, seat.node).problems == []) }

    /// Every key on the disks, as a node reads them.
    func keys(on node: NodeName) async throws -> [DiskKey] {
        let seat = try await seat(of: UUID(), on: node)
        _ = try await ask(FinishQuestion(), seat.run, seat.node)
        return seat.grounds.flatMap { $0.keys + ($0.holder.map { [$0] } ?? []) }
    }

    private func ask<Question: ProbeQuestion>(_ question: Question, _ run: UUID, _ node: NodeName) async throws -> Question.Evidence {
        let request = ProbeRequest(run: run, probe: Question.name, question: try JSONValue(encoding: question))
        return try await stage.client(of: node).probe(request).evidence.decoded(as: Question.Evidence.self)
    }

    // MARK: Runs

    /// Follows a run until it is as it should be.
    func wait(for run: UUID, _ isThere: @Sendable (ValidationStatus) -> Bool) async throws {
        let client = try stage.client(of: ValidationStage.n1)
        for _ in 0..<10 {
            for try await status in try await client.followValidation(run) {
                if isThere(status) { return }
                try #require(!status.isEnded, "The run ended before it was as expected: \(status)")
            }
        }
        throw Unexpected("The run \(run) is told of no more.")
    }
}
