import ClusterAPI
import ClusterModel
import Foundation
import Validation

@testable import Forming

/// The API of a node that only joins: everything else is noted and refused.
struct JoinableOperations: NodeOperations, ValidationOperations {
    let node: TestNode

    private func refuse<Value>(_ name: String = #function) async throws(APIError) -> Value {
        await node.note(name)
        throw APIError(.refused, "\(name) is not played here.")
    }
    private var desk: JoinDesk {
        get async throws(APIError) {
            guard let desk = await node.desk else { throw APIError(.failed, "not started") }
            return desk
        }
    }

    func prepareJoin(_ request: JoinPreparation) async throws(APIError) -> JoinOffer {
        await node.note("prepareJoin")
        return try await desk.prepareJoin(request)
    }
    func deliverMembership(_ request: MembershipDelivery) async throws(APIError) { try await desk.deliverMembership(request) }
    func activateMembership(_ request: JoinOrder) async throws(APIError) { try await desk.activateMembership(request) }
    func joinState(_ request: JoinOrder) async throws(APIError) -> JoinState { try await desk.joinState(request) }
    func abortJoin(_ request: JoinOrder) async throws(APIError) { try await desk.abortJoin(request) }

    func nodes() async throws(APIError) -> [NodeStatus] { try await refuse() }
    func machines() async throws(APIError) -> [VMStatus] { try await refuse() }
    func machine(_ name: VMName) async throws(APIError) -> VMStatus { try await refuse() }
    func createMachine(_ request: CreateMachineRequest) async throws(APIError) -> VMStatus { try await refuse() }
    func deleteMachine(_ name: VMName) async throws(APIError) { let _: Void = try await refuse() }
    func startMachine(_ name: VMName) async throws(APIError) -> VMStatus { try await refuse() }
    func stopMachine(_ name: VMName, force: Bool) async throws(APIError) -> VMStatus { try await refuse() }
    func planMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationPlan { try await refuse() }
    func startMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationStatus { try await refuse() }
    func followMigration(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<MigrationStatus, any Error> { try await refuse() }
    func cancelMigration(of vm: VMName) async throws(APIError) -> MigrationStatus { try await refuse() }
    func migrations() async throws(APIError) -> [MigrationStatus] { try await refuse() }
    func disks() async throws(APIError) -> [SharedDiskStatus] { try await refuse() }
    func initializeDisk(_ request: InitializeDiskRequest) async throws(APIError) -> SharedDiskStatus { try await refuse() }
    func facts() async throws(APIError) -> NodeFacts { try await refuse() }
    func ownMachines() async throws(APIError) -> [VMStatus] { try await refuse() }
    func ownMigrations() async throws(APIError) -> [MigrationStatus] { try await refuse() }
    func allocate(_ request: AllocationRequest) async throws(APIError) -> VirtualMachine { try await refuse() }
    func release(_ machine: VirtualMachine) async throws(APIError) { let _: Void = try await refuse() }
    func prepareIncoming(_ offer: IncomingOffer) async throws(APIError) -> IncomingReady { try await refuse() }
    func resumeIncoming(_ request: ResumeRequest) async throws(APIError) -> ResumeReply { try await refuse() }
    func deliverFrames(_ request: FrameDelivery) async throws(APIError) -> FrameReply { try await refuse() }
    func recoverIncoming(_ migration: UUID) async throws(APIError) -> IncomingReady { try await refuse() }
    func discardIncoming(_ migration: UUID, reason: String) async throws(APIError) { let _: Void = try await refuse() }
    func incomingState(_ migration: UUID) async throws(APIError) -> IncomingState { try await refuse() }
    func openLinkTest() async throws(APIError) -> LinkTestReady { try await refuse() }
    func corosyncFiles() async throws(APIError) -> CorosyncFilesReply { try await refuse() }
    func obey(_ order: MemberOrder) async throws(APIError) { let _: Void = try await refuse() }
    func membership() async throws(APIError) -> Membership { try await refuse() }
    func makeToken(_ request: TokenRequest) async throws(APIError) -> TokenReply { try await refuse() }
    func createCluster(_ request: CreateClusterRequest) async throws(APIError) -> ClusterChange { try await refuse() }
    func addNode(_ request: AddNodeRequest) async throws(APIError) -> ClusterChange { try await refuse() }
    func evictNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange { try await refuse() }
    func stopNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange { try await refuse() }
    func startNode(_ node: NodeName) async throws(APIError) -> ClusterChange { try await refuse() }
    func destroyCluster(_ request: DestroyClusterRequest) async throws(APIError) -> ClusterChange { try await refuse() }
    func followChange(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ClusterChange, any Error> { try await refuse() }
    func clusterStatus() async throws(APIError) -> ClusterStatusReport { try await refuse() }
    func setQuorum(_ request: SetQuorumRequest) async throws(APIError) -> ClusterStatusReport { try await refuse() }
    func setWitness(_ request: SetWitnessRequest) async throws(APIError) -> ClusterChange { try await refuse() }
    func forceQuorum(_ request: ForceQuorumRequest) async throws(APIError) -> ClusterStatusReport { try await refuse() }
    func events(after: UInt64) async throws(APIError) -> [ClusterEvent] { try await refuse() }
    func noteEvent(_ request: NoteEventRequest) async throws(APIError) { let _: Void = try await refuse() }
    func followEvents(after: UInt64) async throws(APIError) -> AsyncThrowingStream<ClusterEvent, any Error> { try await refuse() }

    func validationOffer() async throws(APIError) -> ValidationOffer { try await refuse() }
    func startValidation(_ request: StartValidationRequest) async throws(APIError) -> ValidationStatus { try await refuse() }
    func followValidation(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ValidationStatus, any Error> { try await refuse() }
    func cancelValidation(_ id: UUID) async throws(APIError) -> ValidationStatus { try await refuse() }
    func validationReport(_ id: UUID) async throws(APIError) -> ValidationRun { try await refuse() }
    func keptReports() async throws(APIError) -> [KeptReport] { try await refuse() }
    func fetchReports(_ notice: ReportNotice) async throws(APIError) { let _: Void = try await refuse() }
    func probe(_ request: ProbeRequest) async throws(APIError) -> ProbeReply { try await refuse() }
    func probeFree(_ request: FreeProbeRequest) async throws(APIError) -> ProbeReply {
        try await desk.check(secret: request.secret)
        return ProbeReply(evidence: .object([:]))
    }
}
