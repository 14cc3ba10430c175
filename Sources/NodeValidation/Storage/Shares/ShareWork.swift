import ClusterModel
import Foundation
import Validation

/// The steps that ask nodes about a file share.
struct ShareWork: Sendable {
    private let share: String
    private let context: StepContext

    init(_ step: ValidationStep, _ context: StepContext) throws {
        guard case .share(let path) = step.target else { throw ProbeProblem("This step is about no file share.") }
        share = path
        self.context = context
    }

    private func file(_ name: String) -> ShareFile { ShareFile(share: share, name: name) }
    private func facts(of node: NodeName) -> ShareFacts? {
        context.inventory(of: node)?.storage.shares.first { $0.path == share }
    }

    func visibility() async throws -> TestOutcome {
        let nodes = context.answering
        var looks: [ShareJudges.Look] = []
        for round in 1...3 {
            for writer in nodes {
                let readers = nodes.filter { $0 != writer }
                let file = file("seen-by-others")
                // They know what is there, or that nothing is, when it changes.
                _ = await context.askAll(ShareReadQuestion(file: file), of: readers)
                let text = "\(writer) \(round)"
                _ = try await context.ask(ShareWriteQuestion(file: file, text: text), of: writer)
                let answers = await context.askAll(ShareReadQuestion(file: file), of: readers)
                for reader in readers {
                    guard let answer = answers[reader] else { continue }
                    looks.append(ShareJudges.Look(writer: writer, reader: reader, wrote: text, read: try answer.get().text))
                }
            }
        }
        return ShareJudges.visibility(share, kinds: nodes.map { ($0, facts(of: $0)?.kind) }, looks)
    }

    /// Each node keeps the next one out.
    func locks() async throws -> TestOutcome {
        let nodes = context.answering
        var all: [ShareJudges.Locking] = []
        for (index, holder) in nodes.enumerated() where nodes.count > 1 {
            let other = nodes[(index + 1) % nodes.count]
            let question = ShareLockQuestion(file: file("lock-\(index)"))
            guard let lock = try await context.ask(question, of: holder).lock else {
                throw ProbeProblem("\(holder) cannot lock a file that nobody else has locked.")
            }
            let early = try await context.ask(question, of: other).lock
            if let early { _ = try await context.ask(ShareUnlockQuestion(lock: early), of: other) }
            _ = try await context.ask(ShareUnlockQuestion(lock: lock), of: holder)
            all.append(
                ShareJudges.Locking(
                    holder: holder, other: other, gotMeanwhile: early != nil,
                    gotAfterwards: try await locks(question, other, within: ProbePatience.probe)))
        }
        return ShareJudges.locks(share, all)
    }

    private func locks(_ question: ShareLockQuestion, _ node: NodeName, within patience: Duration) async throws -> Bool {
        let end = ContinuousClock.now + patience
        repeat {
            if let lock = try await context.ask(question, of: node).lock {
                _ = try await context.ask(ShareUnlockQuestion(lock: lock), of: node)
                return true
            }
            try await Task.sleep(for: .milliseconds(200))
        } while ContinuousClock.now < end
        return false
    }

    func sync() async throws -> TestOutcome {
        var answers: [(node: NodeName, syncs: [Double], options: [String])] = []
        for (index, node) in context.answering.enumerated() {
            let question = ShareWriteQuestion(file: file("synced-\(index)"), text: "", syncs: 20)
            let evidence = try await context.ask(question, of: node)
            answers.append((node, evidence.syncs, facts(of: node)?.options ?? []))
        }
        return ShareJudges.sync(share, answers)
    }

    func rename() async throws -> TestOutcome {
        guard let writer = context.answering.first else { return TestOutcome() }
        let readers = Array(context.answering.dropFirst())
        let file = file("replaced")
        async let watched = context.askAll(ShareWatchQuestion(file: file, milliseconds: 1_500), of: readers)
        let written = try await context.ask(ShareReplaceQuestion(file: file, milliseconds: 1_500), of: writer)
        let answers = await watched
        return ShareJudges.rename(
            share, writer: writer, replacements: written.replacements,
            try readers.compactMap { reader in try answers[reader].map { (reader, try $0.get()) } })
    }
}
