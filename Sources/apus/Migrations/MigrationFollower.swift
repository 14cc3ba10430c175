import ClusterAPI
import ClusterModel
import Foundation
import NodeClient

/// Follows a migration to its end, cancels it at Ctrl-C, and survives a restart of the node service.
struct MigrationFollower {
    let client: NodeClient
    let vm: VMName
    var display: any ProgressDisplay
    /// How long to look for a node service that went away.
    var patience = Duration.seconds(30)

    private enum Event: Sendable {
        case status(MigrationStatus)
        case interrupted
        case cancelAnswered(APIError?)
        /// The stream ended; nil after its last status.
        case ended(APIError?)
    }

    init(client: NodeClient, vm: VMName, display: any ProgressDisplay) {
        self.client = client
        self.vm = vm
        self.display = display
    }

    /// - Returns: The status that has a record.
    /// - Throws: ``CommandFailure`` when the operator leaves or the node service stays away.
    func follow(_ first: MigrationStatus) async throws -> MigrationStatus {
        if first.record != nil { return first }
        var display = display
        defer { display.finish() }
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let interrupts = await InterruptSignal { continuation.yield(.interrupted) }
        defer { interrupts.stop() }

        return try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { await watch(first.id, into: continuation) }
            var isCancelling = false
            for await event in events {
                switch event {
                case .status(let status):
                    if status.record != nil { return status }
                    display.show(status)
                case .interrupted where !isCancelling:
                    isCancelling = true
                    display.say("Cancelling the migration; the machine stays where it runs. Ctrl-C again leaves it to itself.")
                    group.addTask {
                        do throws(APIError) {
                            _ = try await client.cancelMigration(of: vm)
                            continuation.yield(.cancelAnswered(nil))
                        } catch {
                            continuation.yield(.cancelAnswered(error))
                        }
                    }
                case .interrupted:
                    throw CommandFailure(message: "left the migration of \(vm) to itself. See: apus migration list")
                case .cancelAnswered(let error?):
                    display.say("It was not cancelled: \(error.message)")
                case .cancelAnswered(nil):
                    break
                case .ended(let error):
                    throw CommandFailure(
                        message: (error?.message ?? "The node service stopped telling about the migration.")
                            + " The migration may go on. See: apus migration list")
                }
            }
            throw CommandFailure(message: "The migration of \(vm) could not be followed. See: apus migration list")
        }
    }

    /// Reads the stream of statuses, again when it breaks off, until one has a record.
    private func watch(_ id: UUID, into events: AsyncStream<Event>.Continuation) async {
        var giveUp = ContinuousClock.now + patience
        while !Task.isCancelled {
            var failure: APIError?
            do {
                for try await status in try await client.followMigration(id) {
                    events.yield(.status(status))
                    if status.record != nil { return }
                    giveUp = .now + patience
                }
            } catch {
                failure = error as? APIError ?? APIError(.failed, String(describing: error))
            }
            // The node service is restarting, or the network hiccups; the machine and its migration are not bound to either.
            let isWorthWaiting = failure.map { [.unreachable, .timeout].contains($0.code) } ?? true
            guard isWorthWaiting, ContinuousClock.now < giveUp else {
                events.yield(.ended(failure))
                return
            }
            try? await Task.sleep(for: .milliseconds(300))
        }
    }
}
