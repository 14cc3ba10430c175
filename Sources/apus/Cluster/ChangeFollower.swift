import ClusterAPI
import ClusterModel
import NodeClient

extension NodeQuestion {
    /// Shows a change step by step until it has ended; survives a moment without the node service.
    ///
    /// - Throws: ``CommandFailure`` with the reason when it failed, or could not be followed.
    func follow(_ first: ClusterChange, asking client: NodeClient) async throws {
        var shown = 0
        var giveUp = ContinuousClock.now + .seconds(30)
        var failure: APIError?
        while ContinuousClock.now < giveUp {
            do {
                for try await change in try await client.followChange(first.id) {
                    giveUp = .now + .seconds(30)
                    if !connection.json {
                        for step in change.steps.dropFirst(shown) { Console.progress("  \(step.text)\n") }
                        shown = change.steps.count
                    }
                    if change.outcome != nil { return try finish(change) }
                }
                failure = APIError(.unreachable, "The node service stopped telling.")
            } catch let failure as CommandFailure {
                throw failure
            } catch {
                let reason = error as? APIError ?? APIError(.failed, String(describing: error))
                guard [.unreachable, .timeout].contains(reason.code) else { throw reason }
                failure = reason
            }
            try await Task.sleep(for: .milliseconds(300))
        }
        throw CommandFailure(message: "\(failure?.message ?? "The change could not be followed.") See: apus cluster status")
    }

    private func finish(_ change: ClusterChange) throws {
        if connection.json { try Console.print(json: change) }
        guard change.outcome == .done else { throw CommandFailure(message: connection.json ? nil : change.message ?? "it failed") }
        if !connection.json { Console.print(change.message ?? "Done.") }
    }
}
