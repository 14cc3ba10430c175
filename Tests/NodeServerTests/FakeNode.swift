import ClusterAPI
import ClusterModel
import Foundation
import Validation

/// Stands for the node service behind the API: answers with samples and remembers what it was asked.
actor FakeNode: NodeOperations, ValidationOperations {
    private(set) var asked: [String] = []
    private var bodies: [any Hashable & Sendable] = []
    /// What the next calls fail with.
    var failure: APIError?
    /// How long every call takes.
    var delay: Duration = .zero
    private(set) var followers = 0
    private(set) var endedFollowers = 0
    private var streams: [AsyncThrowingStream<MigrationStatus, any Error>.Continuation] = []

    func received(_ expected: [any Hashable & Sendable]) -> Bool { bodies.map { AnyHashable($0) } == expected.map { AnyHashable($0) } }
    func fail(with error: APIError?) { failure = error }

    /// What a validation does after it began.
    enum HeldValidation { case endsWhenCancelled, goesOn }
    private var offered = Samples.validationOffer
    private var validation = Samples.validation
    private var heldValidation: HeldValidation?
    private var validationStreams: [AsyncThrowingStream<ValidationStatus, any Error>.Continuation] = []
    func offer(_ offer: ValidationOffer) { offered = offer }
    /// Every validation has ended at once, with this.
    func validate(with status: ValidationStatus) { validation = status }
    func holdValidations(_ how: HeldValidation) {
        heldValidation = how
        validation.phase = .testing
        validation.verdict = nil
    }
    func take(_ delay: Duration) { self.delay = delay }

    private func answer<Value: Sendable>(
        _ value: Value, _ body: (any Hashable & Sendable)? = nil, _ name: String = #function
    ) async throws(APIError) -> Value {
        asked.append(name)
        if let body { bodies.append(body) }
        if delay > .zero {
            do { try await Task.sleep(for: delay) } catch { throw APIError(.failed, "cancelled") }
        }
        if let failure { throw failure }
        return value
    }

    func nodes() async throws(APIError) -> [NodeStatus] { try await answer(Samples.nodeStatuses) }
    func machines() async throws(APIError) -> [VMStatus] { try await answer([Samples.vmStatus]) }
    func machine(_ name: VMName) async throws(APIError) -> VMStatus { try await answer(Samples.vmStatus, name) }
    func createMachine(_ request: CreateMachineRequest) async throws(APIError) -> VMStatus { try await answer(Samples.vmStatus, request) }
    func deleteMachine(_ name: VMName) async throws(APIError) { try await answer((), name) }
    func startMachine(_ name: VMName) async throws(APIError) -> VMStatus { try await answer(Samples.vmStatus, name) }
    func stopMachine(_ name: VMName, force: Bool) async throws(APIError) -> VMStatus {
        try await answer(Samples.vmStatus, StopMachineRequest(force: force))
    }
    func planMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationPlan { try await answer(Samples.plan, order) }
    func startMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationStatus { try await answer(Samples.migration, order) }
    func cancelMigration(of vm: VMName) async throws(APIError) -> MigrationStatus {
        let status = try await answer(Samples.cancelledMigration, vm)
        finishStreams(with: status)
        return status
    }
    func migrations() async throws(APIError) -> [MigrationStatus] { try await answer([Samples.endedMigration]) }
    func disks() async throws(APIError) -> [SharedDiskStatus] { try await answer([Samples.diskStatus]) }
    func initializeDisk(_ request: InitializeDiskRequest) async throws(APIError) -> SharedDiskStatus {
        try await answer(Samples.diskStatus, request)
    }

    func facts() async throws(APIError) -> NodeFacts { try await answer(Samples.facts) }
    func ownMachines() async throws(APIError) -> [VMStatus] { try await answer([Samples.vmStatus]) }
    func ownMigrations() async throws(APIError) -> [MigrationStatus] { try await answer([Samples.migration]) }
    func allocate(_ request: AllocationRequest) async throws(APIError) -> VirtualMachine { try await answer(Samples.machine, request) }
    func release(_ machine: VirtualMachine) async throws(APIError) { try await answer((), machine) }
    func prepareIncoming(_ offer: IncomingOffer) async throws(APIError) -> IncomingReady { try await answer(Samples.ready, offer) }
    func resumeIncoming(_ request: ResumeRequest) async throws(APIError) -> ResumeReply { try await answer(Samples.resumed, request) }
    func deliverFrames(_ request: FrameDelivery) async throws(APIError) -> FrameReply { try await answer(Samples.delivered, request) }
    func recoverIncoming(_ migration: UUID) async throws(APIError) -> IncomingReady { try await answer(Samples.ready, migration) }
    func discardIncoming(_ migration: UUID, reason: String) async throws(APIError) {
        try await answer((), DiscardRequest(reason: reason))
    }
    func incomingState(_ migration: UUID) async throws(APIError) -> IncomingState { try await answer(Samples.incoming, migration) }
    func openLinkTest() async throws(APIError) -> LinkTestReady { try await answer(Samples.linkTest) }

    func membership() async throws(APIError) -> Membership { try await answer(Samples.membership) }
    func makeToken(_ request: TokenRequest) async throws(APIError) -> TokenReply { try await answer(Samples.tokenReply, request) }
    func createCluster(_ request: CreateClusterRequest) async throws(APIError) -> ClusterChange {
        try await answer(Samples.change, request)
    }
    func addNode(_ request: AddNodeRequest) async throws(APIError) -> ClusterChange { try await answer(Samples.change, request) }
    func evictNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange {
        try await answer(Samples.change, request)
    }
    func stopNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange {
        try await answer(Samples.change, request)
    }
    func startNode(_ node: NodeName) async throws(APIError) -> ClusterChange { try await answer(Samples.change, node) }
    func destroyCluster(_ request: DestroyClusterRequest) async throws(APIError) -> ClusterChange {
        try await answer(Samples.change, request)
    }
    /// A change that goes on, then the same when it ended.
    func followChange(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ClusterChange, any Error> {
        _ = try await answer((), id)
        return AsyncThrowingStream { stream in
            stream.yield(Samples.change)
            stream.yield(Samples.endedChange)
            stream.finish()
        }
    }

    func clusterStatus() async throws(APIError) -> ClusterStatusReport { try await answer(Samples.report) }
    func setQuorum(_ request: SetQuorumRequest) async throws(APIError) -> ClusterStatusReport {
        try await answer(Samples.report, request)
    }
    func forceQuorum(_ request: ForceQuorumRequest) async throws(APIError) -> ClusterStatusReport {
        try await answer(Samples.report, request)
    }
    func setWitness(_ request: SetWitnessRequest) async throws(APIError) -> ClusterChange {
        try await answer(Samples.change, request)
    }
    func events(after: UInt64) async throws(APIError) -> [ClusterEvent] { try await answer(Samples.events, after) }
    func noteEvent(_ request: NoteEventRequest) async throws(APIError) { try await answer((), request) }
    func followEvents(after: UInt64) async throws(APIError) -> AsyncThrowingStream<ClusterEvent, any Error> {
        _ = try await answer((), after)
        return AsyncThrowingStream { stream in
            for event in Samples.events { stream.yield(event) }
            stream.finish()
        }
    }

    func validationOffer() async throws(APIError) -> ValidationOffer { try await answer(offered) }
    func startValidation(_ request: StartValidationRequest) async throws(APIError) -> ValidationStatus {
        try await answer(validation, request)
    }
    func followValidation(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ValidationStatus, any Error> {
        _ = try await answer((), id)
        let (stream, continuation) = AsyncThrowingStream<ValidationStatus, any Error>.makeStream()
        continuation.yield(validation)
        if heldValidation == nil { continuation.finish() } else { validationStreams.append(continuation) }
        return stream
    }
    func cancelValidation(_ id: UUID) async throws(APIError) -> ValidationStatus {
        if heldValidation == .endsWhenCancelled {
            validation.phase = .ended
            validation.verdict = .cancelled
            for stream in validationStreams {
                stream.yield(validation)
                stream.finish()
            }
        }
        return try await answer(validation, id)
    }
    func validationReport(_ id: UUID) async throws(APIError) -> ValidationRun { try await answer(Samples.validationRun, id) }
    func keptReports() async throws(APIError) -> [KeptReport] { try await answer(Samples.keptReports) }
    func fetchReports(_ notice: ReportNotice) async throws(APIError) { try await answer((), notice) }
    func probe(_ request: ProbeRequest) async throws(APIError) -> ProbeReply { try await answer(Samples.probeReply, request) }
    func probeFree(_ request: FreeProbeRequest) async throws(APIError) -> ProbeReply { try await answer(Samples.probeReply, request) }

    func corosyncFiles() async throws(APIError) -> CorosyncFilesReply { try await answer(Samples.corosyncFiles) }
    func obey(_ order: MemberOrder) async throws(APIError) { try await answer((), order) }
    func prepareJoin(_ request: JoinPreparation) async throws(APIError) -> JoinOffer { try await answer(Samples.joinOffer, request) }
    func deliverMembership(_ request: MembershipDelivery) async throws(APIError) { try await answer((), request) }
    func activateMembership(_ request: JoinOrder) async throws(APIError) { try await answer((), request) }
    func joinState(_ request: JoinOrder) async throws(APIError) -> JoinState { try await answer(Samples.joinState, request) }
    func abortJoin(_ request: JoinOrder) async throws(APIError) { try await answer((), request) }

    /// Sends one status at once; the rest when the test says so.
    func followMigration(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<MigrationStatus, any Error> {
        _ = try await answer((), id)
        let (stream, continuation) = AsyncThrowingStream<MigrationStatus, any Error>.makeStream()
        continuation.onTermination = { [weak self] _ in
            Task { await self?.followerEnded() }
        }
        continuation.yield(Samples.migration)
        followers += 1
        streams.append(continuation)
        return stream
    }
    private func followerEnded() { endedFollowers += 1 }

    func finishStreams(with last: MigrationStatus = Samples.endedMigration, throwing error: APIError? = nil) {
        for stream in streams {
            if let error {
                stream.finish(throwing: error)
            } else {
                stream.yield(last)
                stream.finish()
            }
        }
        streams = []
    }

    /// Waits until so many followers have come, at most five seconds.
    func waitForFollowers(_ count: Int) async -> Bool {
        for _ in 0..<500 where followers < count { try? await Task.sleep(for: .milliseconds(10)) }
        return followers >= count
    }

    /// Waits until as many followers have ended, at most five seconds.
    func waitForEndedFollowers(_ count: Int) async -> Bool {
        for _ in 0..<500 where endedFollowers < count { try? await Task.sleep(for: .milliseconds(10)) }
        return endedFollowers >= count
    }
}
