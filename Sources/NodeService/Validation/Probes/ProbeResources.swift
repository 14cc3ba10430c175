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
    /// The last runs that ended: what a late probe of theirs opens nobody would give back.
    private var ended: [UUID] = []
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// No run needs more; a caller that only ever opens must not use up the node.
    static let most = 256

    /// Keeps something until it is given back.
    ///
    /// - Parameter giveBack: Called once, also when the caller was cancelled meanwhile.
    /// - Returns: Its name, for ``giveBack(_:)``.
    /// - Throws: When there is too much already; then nothing was kept, and the caller gives it back.
    func hold(
        for run: UUID, lifetime: Duration, _ clause: String, giveBack: @escaping @Sendable () async throws -> Void
    ) throws -> UUID {
        guard !ended.contains(run) else { throw ProbeProblem("The run that this is for has ended.") }
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
        if !ended.contains(run) { ended = ended.suffix(15) + [run] }
        var evidence = FinishQuestion.Evidence(givenBack: [], problems: [])
        for (id, resource) in resources where resource.run == run {
            do { if try await giveBack(id) { evidence.givenBack.append(resource.clause) } } catch {
                evidence.problems.append("It has not \(resource.clause): \(error)")
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
