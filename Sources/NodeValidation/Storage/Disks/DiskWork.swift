import ClusterModel
import Foundation
import Validation

/// The steps that ask nodes about a disk.
struct DiskWork: Sendable {
    private let context: StepContext
    init(_ context: StepContext) { self.context = context }

    func identity() async throws -> TestOutcome {
        let nodes = context.answering
        let answers = await context.askAll(DiskNamesQuestion(), of: nodes, within: .seconds(9))
        return DiskNamesJudge.judge(try nodes.compactMap { node in try answers[node].map { (node, try $0.get()) } })
    }

    /// One node after the other: side by side they would measure each other.
    private func inTurn<Question: ProbeQuestion>(
        _ question: Question, within deadline: Duration
    ) async throws -> [(node: NodeName, evidence: Question.Evidence)] {
        var answers: [(node: NodeName, evidence: Question.Evidence)] = []
        for node in context.answering { answers.append((node, try await context.ask(question, of: node, within: deadline))) }
        return answers
    }

    /// A part of what a step may take, so that many nodes get their turns too.
    private func share(of milliseconds: Int, most: Int) -> Int { min(most, milliseconds / max(1, context.answering.count)) }

    func latency(_ disk: DiskID) async throws -> TestOutcome {
        try await context.withScratch(on: disk) { area in
            let question = DiskLatencyQuestion(area: area, count: 200, milliseconds: share(of: 8_000, most: 1_000))
            return DiskSpeedJudges.latency(disk, try await inTurn(question, within: .seconds(8)))
        }
    }

    func throughput(_ disk: DiskID) async throws -> TestOutcome {
        let question = DiskThroughputQuestion(disk: disk, milliseconds: share(of: 12_000, most: 700))
        return DiskSpeedJudges.throughput(disk, try await inTurn(question, within: .seconds(10)))
    }

    private static let coherenceRounds = 5

    func coherence(_ disk: DiskID) async throws -> TestOutcome {
        try await context.withScratch(on: disk) { area in
            let nodes = context.answering
            var rounds: [DiskTruthJudges.CoherenceRound] = []
            var sequence: UInt64 = 0
            for _ in 0..<Self.coherenceRounds {
                for writer in nodes {
                    sequence += 1
                    let readers = nodes.filter { $0 != writer }
                    // They have it in whatever cache there is when it changes.
                    _ = await context.askAll(DiskLookQuestion(area: area), of: readers, within: .seconds(5))
                    _ = try await context.ask(DiskStampQuestion(area: area, sequence: sequence), of: writer, within: .seconds(5))
                    let looks = await context.askAll(DiskLookQuestion(area: area), of: readers, within: .seconds(5))
                    for reader in readers {
                        guard let look = looks[reader] else { continue }
                        rounds.append(
                            DiskTruthJudges.CoherenceRound(
                                writer: writer, reader: reader, wrote: sequence, read: try look.get().reading))
                    }
                }
            }
            return DiskTruthJudges.coherence(disk, nodes, rounds)
        }
    }

    func flush(_ disk: DiskID) async throws -> TestOutcome {
        try await context.withScratch(on: disk) { area in
            guard let node = context.answering.first else { return TestOutcome() }
            return DiskTruthJudges.flush(
                disk, node: node, try await context.ask(DiskFlushQuestion(area: area), of: node, within: .seconds(10)))
        }
    }

    func atomicity(_ disk: DiskID) async throws -> TestOutcome {
        try await context.withScratch(on: disk) { area in
            guard let writer = context.answering.first else { return TestOutcome() }
            let readers = Array(context.answering.dropFirst())
            async let watched = context.askAll(DiskWatchQuestion(area: area, milliseconds: 1_500), of: readers, within: .seconds(8))
            let written = try await context.ask(DiskRewriteQuestion(area: area, milliseconds: 1_500), of: writer, within: .seconds(8))
            let answers = await watched
            return DiskTruthJudges.atomicity(
                disk, writer: writer, writes: written.writes,
                try readers.compactMap { reader in try answers[reader].map { (reader, try $0.get()) } })
        }
    }
}
