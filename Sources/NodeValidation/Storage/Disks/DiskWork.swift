import ClusterModel
import Foundation
import Validation

/// The steps that ask nodes about a disk.
struct DiskWork: Sendable {
    private let context: StepContext
    init(_ context: StepContext) { self.context = context }

    func identity() async throws -> TestOutcome {
        let nodes = context.answering
        let answers = await context.askAll(DiskNamesQuestion(), of: nodes)
        return DiskNamesJudge.judge(try nodes.compactMap { node in try answers[node].map { (node, try $0.get()) } })
    }

    /// One node after the other: side by side they would measure each other.
    private func inTurn<Question: ProbeQuestion>(
        _ question: Question
    ) async throws -> [(node: NodeName, evidence: Question.Evidence)] {
        var answers: [(node: NodeName, evidence: Question.Evidence)] = []
        for node in context.answering { answers.append((node, try await context.ask(question, of: node))) }
        return answers
    }

    /// A part of what a step may take, so that many nodes get their turns too.
    private func share(of milliseconds: Int, most: Int) -> Int { min(most, milliseconds / max(1, context.answering.count)) }

    func latency(_ disk: DiskID) async throws -> TestOutcome {
        try await context.withScratch(on: disk) { area in
            let question = DiskLatencyQuestion(area: area, count: 200, milliseconds: share(of: 8_000, most: 1_000))
            return DiskSpeedJudges.latency(disk, try await inTurn(question))
        }
    }

    func throughput(_ disk: DiskID) async throws -> TestOutcome {
        let question = DiskThroughputQuestion(disk: disk, milliseconds: share(of: 12_000, most: 700))
        return DiskSpeedJudges.throughput(disk, try await inTurn(question))
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
                    _ = await context.askAll(DiskLookQuestion(area: area), of: readers)
                    _ = try await context.ask(DiskStampQuestion(area: area, sequence: sequence), of: writer)
                    let looks = await context.askAll(DiskLookQuestion(area: area), of: readers)
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
                disk, node: node, try await context.ask(DiskFlushQuestion(area: area), of: node))
        }
    }

    private static let atomicityTries = 3

    func atomicity(_ disk: DiskID) async throws -> TestOutcome {
        try await context.withScratch(on: disk) { area in
            guard let writer = context.answering.first else { return TestOutcome() }
            let readers = Array(context.answering.dropFirst())
            var writes = 0
            var answers: [(node: NodeName, evidence: DiskWatchQuestion.Evidence)] = []
            for attempt in 0..<Self.atomicityTries {
                async let watched = context.askAll(DiskWatchQuestion(area: area, milliseconds: 1_500), of: readers)
                // Each try counts on from where no other one comes, so that nothing seems to go backwards.
                let question = DiskRewriteQuestion(area: area, milliseconds: 1_500, first: UInt64(attempt) << 32 + 1)
                writes = try await context.ask(question, of: writer).writes
                let evidence = await watched
                answers = try readers.compactMap { reader in try evidence[reader].map { (reader, try $0.get()) } }
                // A busy node may begin to read when the other one has written already: another try tells more. Not in the place of a fault
                // that was seen.
                if answers.allSatisfy({ $0.evidence.seen > 1 }) || answers.contains(where: \.evidence.isFaulty) { break }
            }
            return DiskTruthJudges.atomicity(disk, writer: writer, writes: writes, answers)
        }
    }
}
