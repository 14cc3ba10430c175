import Foundation
import Logging
import Validation

/// What probes hold open between two questions, for instance a listener that the other node's probe is to reach.
///
/// Everything has an end: the run's, or its own when nobody asks any more, because the node that asked may have died.
actor ProbeResources {
    private struct Resource {
        var run: UUID
        /// What giving it back is, as a clause: "closed the UDP listener on 10.0.0.1 port 5405".
        var clause: String
        var giveBack: @Sendable () async throws -> Void
        var expiry: Task<Void, Never>
    }
    private var resources: [UUID: Resource] = [:]
    /// The last runs that have finished. A question of theirs may still be under way here, because a question that is cancelled is not
    /// called back; what it would hold nobody would give back.
    private var finished: [UUID] = []
    private static let mostFinished = 64
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// No run needs more; a caller that only ever opens must not use up the node.
    static let most = 256

    /// Keeps something until it is given back.
    ///
    /// - Parameters:
    ///   - clause: Empty for what every run holds to its end, which is not worth a word then.
    ///   - giveBack: Called once, also when the caller was cancelled meanwhile.
    /// - Returns: Its name, for ``giveBack(_:)``.
    /// - Throws: When there is too much already, or when the run has finished; then nothing was kept, and the caller gives it back.
    func hold(
        for run: UUID, lifetime: Duration, _ clause: String, giveBack: @escaping @Sendable () async throws -> Void
    ) throws -> UUID {
        guard !finished.contains(run) else { throw ProbeProblem("The run has finished meanwhile.") }
        guard resources.count < Self.most else { throw ProbeProblem("Probes hold \(Self.most) things open already.") }
        let id = UUID()
        let expiry = Task { [weak self] in
            do { try await Task.sleep(for: lifetime) } catch { return }
            await self?.expire(id)
        }
        resources[id] = Resource(run: run, clause: clause, giveBack: giveBack, expiry: expiry)
        return id
    }

    /// - Returns: false when it was given back before.
    @discardableResult
    func giveBack(_ id: UUID) async throws -> Bool {
        guard let resource = resources.removeValue(forKey: id) else { return false }
        resource.expiry.cancel()
        try await resource.giveBack()
        return true
    }

    /// Everything of a run; in the opposite order of its making is not needed, because nothing held rests on another.
    func giveBack(run: UUID) async -> FinishQuestion.Evidence {
        var evidence = FinishQuestion.Evidence(givenBack: [], problems: [])
        finished.append(run)
        if finished.count > Self.mostFinished { finished.removeFirst() }
        for (id, resource) in resources where resource.run == run {
            do {
                if try await giveBack(id), !resource.clause.isEmpty { evidence.givenBack.append(resource.clause) }
            } catch {
                evidence.problems.append(
                    resource.clause.isEmpty
                        ? "What it held for the run is not given back: \(error)" : "It has not \(resource.clause): \(error)")
            }
        }
        evidence.givenBack.sort()
        return evidence
    }

    /// The service stops.
    func close() async { for run in Set(resources.values.map(\.run)) { _ = await giveBack(run: run) } }

    private func expire(_ id: UUID) async {
        guard let resource = resources[id] else { return }
        logger.notice("nobody asks for what a probe held; given back", metadata: ["what": "\(resource.clause)"])
        do { try await giveBack(id) } catch { logger.warning("a probe's remains cannot be given back", metadata: ["reason": "\(error)"]) }
    }
}

/// Why a probe could not look, in a sentence.
struct ProbeProblem: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
