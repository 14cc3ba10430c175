import ClusterAPI
import ClusterModel
import ClusterRules
import Corosync
import Forming
import Foundation
import Logging

/// Runs Corosync and a ``ClusterMember`` on it, as the cluster folder says.
public actor MemberRunner: MemberEngine {
    /// Corosync's part, which the engine stands on.
    public struct Ground: Sendable {
        public var start: @Sendable (MemberRecord) async throws -> Void
        public var stop: @Sendable () async throws -> Void
        public var uninstall: @Sendable () async throws -> Void
        public init(
            start: @escaping @Sendable (MemberRecord) async throws -> Void, stop: @escaping @Sendable () async throws -> Void,
            uninstall: @escaping @Sendable () async throws -> Void
        ) {
            self.start = start
            self.stop = stop
            self.uninstall = uninstall
        }
    }

    private let folder: ClusterFolder
    private let ground: Ground
    private let delegate: any MemberDelegate
    private let logger: Logger
    private var member: ClusterMember?
    private var running: Task<Void, Never>?
    private var starting: Task<Void, any Error>?
    private var goneSince: ContinuousClock.Instant?

    public init(folder: ClusterFolder, ground: Ground, delegate: any MemberDelegate, logger: Logger) {
        self.folder = folder
        self.ground = ground
        self.delegate = delegate
        self.logger = logger
    }

    public func start(_ record: MemberRecord) async throws(APIError) {
        guard member == nil else { return }
        // Whoever comes while it is being started waits for the same start: two engines must not open one database.
        let task = starting ?? Task { try await self.begin(record) }
        starting = task
        defer { if starting == task { starting = nil } }
        do { try await task.value } catch { throw Self.translated(error, "\(record.node) cannot take part in cluster \(record.cluster)") }
    }

    private func begin(_ record: MemberRecord) async throws(APIError) {
        do {
            try await ground.start(record)
            let image = try Data(contentsOf: URL(filePath: folder.initialImage))
            // A node that joins a running cluster begins with nothing: the others bring it the configuration as it then is.
            let seed = image.isEmpty ? nil : try JSONDecoder().decode(ReplicaImage.self, from: image)
            try FileManager.default.createDirectory(atPath: folder.store, withIntermediateDirectories: true)
            let settings = MemberSettings(cluster: record.clusterID, node: record.nodeID, name: record.node, storeFolder: folder.store)
            let member = try await ClusterMember(settings: settings, seed: seed, delegate: delegate, logger: logger)
            if seed != nil { try folder.spendInitialImage() }
            self.member = member
            running = Task { await member.run() }
        } catch { throw Self.translated(error, "\(record.node) cannot take part in cluster \(record.cluster)") }
    }

    /// Starts Corosync again if it has been gone for a while: it crashed, or somebody ended it.
    ///
    /// - Parameter patience: How long it may be gone before.
    public func reviveCorosync(_ record: MemberRecord, waiting patience: Duration = .seconds(2)) async {
        guard let problem = member?.now.standing.corosyncProblem else {
            goneSince = nil
            return
        }
        let since = goneSince ?? .now
        goneSince = since
        guard ContinuousClock.now - since >= patience else { return }
        do {
            try await ground.start(record)
            logger.warning("Corosync was started again", metadata: ["was": "\(problem)"])
        } catch { logger.error("Corosync cannot be started again", metadata: ["reason": "\(error)"]) }
        goneSince = nil
    }

    /// What the engine knows; nil while it does not run.
    public var view: ClusterMember.View? { member?.now }

    /// Goes on with the nodes that are present, without a majority, as an operator orders.
    public func force(reason: String, requestedBy: String) async throws(APIError) {
        guard let member else { throw APIError(.refused, "The cluster's engine does not run on this node.") }
        do { try await member.forceQuorum(reason: reason, requestedBy: requestedBy) } catch { throw APIError(.refused, "\(error)") }
    }

    public func state() async -> JoinState {
        guard let view = member?.now else { return JoinState(phase: .starting, note: "The engine does not run.") }
        let note = view.standing.problem ?? view.standing.log.sentence { view.state.name(of: $0) }
        guard view.standing.mayAct, case .open(_, _, false) = view.standing.log.phase else {
            return JoinState(phase: .starting, note: note)
        }
        return JoinState(phase: .open, note: note)
    }

    public func configuration() async -> ClusterState? {
        member.map(\.now.state).flatMap { $0.identity == nil ? nil : $0 }
    }

    public func isSettled() async -> Bool { await member?.isSettled() ?? false }

    public nonisolated func corosyncConfiguration(of state: ClusterState) throws(APIError) -> String {
        guard let configuration = CorosyncConfiguration(of: state) else { throw APIError(.failed, "The configuration names no cluster.") }
        do { return try configuration.text() } catch { throw APIError(.refused, "\(error)") }
    }

    /// Orders a change, and tells what is certain of it.
    public func order(_ command: ClusterCommand, requestedBy: String?, within limit: Duration = .seconds(10)) async -> OrderOutcome {
        guard let member else { return .notTaken("The cluster's engine does not run on this node.") }
        do throws(MembershipError) {
            _ = try await member.propose(command, requestedBy: requestedBy, within: limit)
            return .applied
        } catch {
            switch error {
            case .rejected(let rejection): return .rejected("\(rejection)")
            case .notOpen, .refused, .coding: return .notTaken("\(error)")
            case .unanswered, .outcomeUnknown, .ended: return .unknown("\(error)")
            }
        }
    }

    public func propose(_ command: ClusterCommand, requestedBy: String?) async throws(APIError) {
        guard let member else { throw APIError(.refused, "The cluster's engine does not run on this node.") }
        do { _ = try await member.propose(command, requestedBy: requestedBy) } catch {
            let code: APIError.Code =
                switch error {
                case .unanswered, .outcomeUnknown: .timeout
                default: .refused
                }
            throw APIError(code, "\(error)")
        }
    }

    public func stop() async throws(APIError) {
        await detach()
        do { try await ground.stop() } catch { throw Self.translated(error, "Corosync does not stop") }
    }

    public func uninstall() async throws(APIError) {
        do { try await ground.uninstall() } catch { throw Self.translated(error, "Corosync's files cannot be taken away") }
    }

    public func detach() async {
        // Its own errors were told to whoever started it.
        _ = await starting?.result
        running?.cancel()
        await running?.value
        running = nil
        member = nil
    }

    private static func translated(_ error: any Error, _ doing: String) -> APIError {
        error as? APIError ?? APIError(.failed, "\(doing): \(error)")
    }
}
