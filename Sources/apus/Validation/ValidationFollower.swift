import ClusterAPI
import ClusterModel
import NodeClient
import Validation

/// Follows a validation to its end, cancels it at Ctrl-C, and survives a moment without the node service.
struct ValidationFollower {
    let client: NodeClient
    var display: any ValidationDisplay
    /// How long to look for a node service that went away.
    var patience = Duration.seconds(20)

    private enum Event: Sendable {
        case status(ValidationStatus)
        case interrupted
        case cancelled
        case cancelFailed(APIError)
        case ended(APIError?)
    }

    /// - Returns: The status that has ended.
    /// - Throws: ``CommandFailure`` when the operator leaves or the node service stays away.
    func follow(_ first: ValidationStatus) async throws -> ValidationStatus {
        var display = display
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        let interrupts = await InterruptSignal { continuation.yield(.interrupted) }
        defer {
            display.finish()
            interrupts.stop()
        }
        display.show(first)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { await watch(first, into: continuation) }
            var interruptions = 0
            var isTold = false
            let left = CommandFailure(
                message: "Left the validation to its node, which ends it and takes back what tests left.", exitCode: 2)
            for await event in events {
                switch event {
                case .status(let status):
                    display.show(status)
                    if status.isEnded { return status }
                case .interrupted:
                    interruptions += 1
                    // Whoever presses twice at once means the validation to end, not to go on without him: the node is told first.
                    guard interruptions == 1 else {
                        if isTold || interruptions > 2 { throw left }
                        continue
                    }
                    display.say("Ending the validation; what tests left on the nodes is taken back. Ctrl-C again leaves that to the nodes.")
                    group.addTask {
                        do throws(APIError) {
                            _ = try await client.cancelValidation(first.id)
                            continuation.yield(.cancelled)
                        } catch { continuation.yield(.cancelFailed(error)) }
                    }
                case .cancelled:
                    isTold = true
                    if interruptions > 1 { throw left }
                case .cancelFailed(let error):
                    display.say("It was not ended: \(error.message)")
                case .ended(let error):
                    throw CommandFailure(
                        message: (error?.message ?? "The node service stopped telling about the validation.")
                            + " What tests hold on the nodes they give back by themselves within a minute.", exitCode: 2)
                }
            }
            throw CommandFailure(message: "The validation could not be followed.", exitCode: 2)
        }
    }

    private func watch(_ first: ValidationStatus, into events: AsyncStream<Event>.Continuation) async {
        var giveUp = ContinuousClock.now + patience
        while !Task.isCancelled {
            var failure: APIError?
            do {
                for try await status in try await client.followValidation(first.id) {
                    events.yield(.status(status))
                    if status.isEnded { return }
                    giveUp = .now + patience
                }
            } catch { failure = error as? APIError ?? APIError(.failed, String(describing: error)) }
            let isWorthWaiting = failure.map { [.unreachable, .timeout].contains($0.code) } ?? true
            guard isWorthWaiting, ContinuousClock.now < giveUp else {
                _ = events.yield(.ended(failure))
                return
            }
            try? await Task.sleep(for: .milliseconds(300))
        }
    }
}

/// Shows how far a validation is, on standard error.
protocol ValidationDisplay: Sendable {
    mutating func show(_ status: ValidationStatus)
    /// A sentence that stays.
    mutating func say(_ sentence: String)
    mutating func finish()
}

/// With `--json`.
struct SilentValidation: ValidationDisplay {
    func show(_ status: ValidationStatus) {}
    func say(_ sentence: String) { Console.complain(sentence) }
    func finish() {}
}

/// A line for each test that ended, and below them one that is written over again and again.
struct WatchedValidation: ValidationDisplay {
    private var lines = EndedTests()

    mutating func show(_ status: ValidationStatus) {
        for line in lines.new(in: status) { say(line) }
        if !status.isEnded { Console.progress("\r" + String(Self.line(status).prefix(Console.width - 1)) + "\u{1B}[K") }
    }
    func say(_ sentence: String) { Console.progress("\r\u{1B}[K\(sentence)\n") }
    func finish() { Console.progress("\r\u{1B}[K") }

    static func line(_ status: ValidationStatus) -> String {
        switch status.phase {
        case .collecting: return "Asking \(status.nodes.map(\.rawValue).joined(separator: ", ")) what they are made of ..."
        case .cleaningUp: return "Taking back what tests left on the nodes ..."
        case .testing, .ended:
            let ended = status.tests.count { $0.state == .ended }
            let running = status.tests.filter { $0.state == .running }.map(\.title)
            return "\(ended) of \(status.tests.count) tests. \(running.isEmpty ? "" : "Running: \(running.joined(separator: ", "))")"
        }
    }
}

/// Lines for a log.
struct LoggedValidation: ValidationDisplay {
    private var lines = EndedTests()
    mutating func show(_ status: ValidationStatus) { for line in lines.new(in: status) { say(line) } }
    func say(_ sentence: String) { Console.progress(sentence + "\n") }
    func finish() {}
}

/// Tells each test once, when it has ended, and each sentence about the clean-up.
struct EndedTests: Sendable {
    private var told: Set<ValidationTestID> = []
    private var cleanedUp = 0
    private var toldUnavailable = false

    mutating func new(in status: ValidationStatus) -> [String] {
        var lines: [String] = []
        if !toldUnavailable, !status.unavailable.isEmpty {
            toldUnavailable = true
            lines.append(ValidationText.unavailable(status.unavailable))
        }
        for test in status.tests where test.state == .ended && told.insert(test.id).inserted { lines.append(ValidationText.line(test)) }
        lines += status.cleanedUp.dropFirst(cleanedUp).map { "Taken back: \($0)" }
        cleanedUp = status.cleanedUp.count
        return lines
    }
}
