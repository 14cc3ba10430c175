import AsyncHTTPClient
import ClusterAPI
import ClusterModel
import Foundation
import NIOCore
import NIOSSL
import Validation

/// A node's operations from the other side of its API.
///
/// Every call has a deadline, the one its endpoint names unless ``waiting(_:)`` says otherwise, and fails with an ``APIError`` that
/// says who did not answer and where. Copies share their connections; the last one to go closes them.
public struct NodeClient: NodeOperations, ValidationOperations {
    let link: NodeLink
    private var deadline: Duration?

    /// Talks to the node service of this host. Only root may.
    public init(socketPath: String = NodeDirectories().apiSocket) {
        link = NodeLink(socketPath: socketPath)
    }

    /// Talks to a node over the cluster network with mutual TLS.
    ///
    /// - Parameters:
    ///   - address: An IP address, or a host name when `node` is nil.
    ///   - node: The node that must answer there: its certificate has to bear this name. nil accepts the node whose certificate bears
    ///     `address`, for operators who know a node only by that.
    ///   - identity: Folder with `ca-cert.pem` and a node's `node-cert.pem` and `node-key.pem`, or an administrator's `admin-cert.pem`
    ///     and `admin-key.pem`.
    ///   - connectTimeout: For TCP and TLS together. A node of the same site that takes longer is down, cut off or badly overloaded.
    /// - Throws: ``APIError/Code/failed`` when the certificates cannot be read.
    public init(
        address: String, port: Int, node: NodeName?, identity: String, connectTimeout: Duration = .seconds(1)
    ) throws(APIError) {
        link = try NodeLink(address: address, port: port, node: node, identity: identity, connectTimeout: connectTimeout)
    }

    /// Talks to a node that belongs to no cluster, as its token describes it; only the calls of ``JoinOperations`` make sense.
    ///
    /// - Parameter fingerprint: SHA-256 of the certificate that it must show.
    public init(address: String, port: Int, node: NodeName, fingerprint: [UInt8], connectTimeout: Duration = .seconds(3)) {
        link = NodeLink(address: address, port: port, node: node, fingerprint: fingerprint, connectTimeout: connectTimeout)
    }

    /// The same client, whose calls wait this long for their whole reply.
    public func waiting(_ deadline: Duration) -> NodeClient {
        var copy = self
        copy.deadline = deadline
        return copy
    }

    /// Makes sure that a connection is open, so that the next call costs one round trip.
    public func warmUp() async throws(APIError) { _ = try await call(Endpoints.ping) }

    /// Keeps the network threads of this process to one. Only before the first client is made, by programs that make single calls.
    public static func useOneThread() { NIOSingletons.groupLoopCountSuggestion = 1 }

    /// Ends open connections. Calls made afterwards fail.
    public func close() async { await link.close() }

    public func openAPI() async throws(APIError) -> OpenAPIDocument { try await call(Endpoints.openAPI) }

    // MARK: Operators

    public func nodes() async throws(APIError) -> [NodeStatus] { try await call(Endpoints.nodes) }
    public func machines() async throws(APIError) -> [VMStatus] { try await call(Endpoints.machines) }
    public func machine(_ name: VMName) async throws(APIError) -> VMStatus { try await call(Endpoints.machine, name.rawValue) }
    public func createMachine(_ request: CreateMachineRequest) async throws(APIError) -> VMStatus {
        try await call(Endpoints.createMachine, body: request)
    }
    public func deleteMachine(_ name: VMName) async throws(APIError) { _ = try await call(Endpoints.deleteMachine, name.rawValue) }
    public func startMachine(_ name: VMName) async throws(APIError) -> VMStatus {
        try await call(Endpoints.startMachine, name.rawValue)
    }
    public func stopMachine(_ name: VMName, force: Bool) async throws(APIError) -> VMStatus {
        try await call(Endpoints.stopMachine, name.rawValue, body: StopMachineRequest(force: force))
    }
    public func planMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationPlan {
        try await call(Endpoints.planMigration, order.vm.rawValue, body: order)
    }
    public func startMigration(_ order: MigrationOrder) async throws(APIError) -> MigrationStatus {
        try await call(Endpoints.startMigration, order.vm.rawValue, body: order)
    }
    public func cancelMigration(of vm: VMName) async throws(APIError) -> MigrationStatus {
        try await call(Endpoints.cancelMigration, vm.rawValue)
    }
    public func migrations() async throws(APIError) -> [MigrationStatus] { try await call(Endpoints.migrations) }
    public func disks() async throws(APIError) -> [SharedDiskStatus] { try await call(Endpoints.disks) }
    public func initializeDisk(_ request: InitializeDiskRequest) async throws(APIError) -> SharedDiskStatus {
        try await call(Endpoints.initializeDisk, body: request)
    }

    /// The stream ends with an ``APIError`` when the node falls silent or goes away; ending the iteration ends the request.
    public func followMigration(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<MigrationStatus, any Error> {
        try await link.follow(Endpoints.followMigration, id.uuidString, deadline: deadline)
    }

    // MARK: Nodes among themselves

    public func facts() async throws(APIError) -> NodeFacts { try await call(Endpoints.facts) }
    public func ownMachines() async throws(APIError) -> [VMStatus] { try await call(Endpoints.ownMachines) }
    public func ownMigrations() async throws(APIError) -> [MigrationStatus] { try await call(Endpoints.ownMigrations) }
    public func allocate(_ request: AllocationRequest) async throws(APIError) -> VirtualMachine {
        try await call(Endpoints.allocate, body: request)
    }
    public func release(_ machine: VirtualMachine) async throws(APIError) { _ = try await call(Endpoints.release, body: machine) }
    public func prepareIncoming(_ offer: IncomingOffer) async throws(APIError) -> IncomingReady {
        try await call(Endpoints.prepareIncoming, body: offer)
    }
    public func resumeIncoming(_ request: ResumeRequest) async throws(APIError) -> ResumeReply {
        try await call(Endpoints.resumeIncoming, request.migration.uuidString, body: request)
    }
    public func deliverFrames(_ request: FrameDelivery) async throws(APIError) -> FrameReply {
        try await call(Endpoints.deliverFrames, request.migration.uuidString, body: request)
    }
    public func recoverIncoming(_ migration: UUID) async throws(APIError) -> IncomingReady {
        try await call(Endpoints.recoverIncoming, migration.uuidString)
    }
    public func discardIncoming(_ migration: UUID, reason: String) async throws(APIError) {
        _ = try await call(Endpoints.discardIncoming, migration.uuidString, body: DiscardRequest(reason: reason))
    }
    public func incomingState(_ migration: UUID) async throws(APIError) -> IncomingState {
        try await call(Endpoints.incomingState, migration.uuidString)
    }
    public func openLinkTest() async throws(APIError) -> LinkTestReady { try await call(Endpoints.openLinkTest) }

    // MARK: Who belongs to the cluster

    public func membership() async throws(APIError) -> Membership { try await call(Endpoints.membership) }
    public func makeToken(_ request: TokenRequest) async throws(APIError) -> TokenReply {
        try await call(Endpoints.makeToken, body: request)
    }
    public func createCluster(_ request: CreateClusterRequest) async throws(APIError) -> ClusterChange {
        try await call(Endpoints.createCluster, body: request)
    }
    public func addNode(_ request: AddNodeRequest) async throws(APIError) -> ClusterChange {
        try await call(Endpoints.addNode, body: request)
    }
    public func evictNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange {
        try await call(Endpoints.evictNode, node.rawValue, body: request)
    }
    public func stopNode(_ node: NodeName, _ request: ForceRequest) async throws(APIError) -> ClusterChange {
        try await call(Endpoints.stopNode, node.rawValue, body: request)
    }
    public func startNode(_ node: NodeName) async throws(APIError) -> ClusterChange { try await call(Endpoints.startNode, node.rawValue) }
    public func destroyCluster(_ request: DestroyClusterRequest) async throws(APIError) -> ClusterChange {
        try await call(Endpoints.destroyCluster, body: request)
    }
    /// The stream ends with an ``APIError`` when the node falls silent or goes away; ending the iteration ends the request.
    public func followChange(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ClusterChange, any Error> {
        try await link.follow(Endpoints.followChange, id.uuidString, deadline: deadline)
    }

    public func corosyncFiles() async throws(APIError) -> CorosyncFilesReply { try await call(Endpoints.corosyncFiles) }
    public func obey(_ order: MemberOrder) async throws(APIError) { _ = try await call(Endpoints.obey, body: order) }

    public func clusterStatus() async throws(APIError) -> ClusterStatusReport { try await call(Endpoints.clusterStatus) }
    public func setQuorum(_ request: SetQuorumRequest) async throws(APIError) -> ClusterStatusReport {
        try await call(Endpoints.setQuorum, body: request)
    }
    public func setWitness(_ request: SetWitnessRequest) async throws(APIError) -> ClusterChange {
        try await call(Endpoints.setWitness, body: request)
    }
    public func forceQuorum(_ request: ForceQuorumRequest) async throws(APIError) -> ClusterStatusReport {
        try await call(Endpoints.forceQuorum, body: request)
    }
    public func events(after: UInt64) async throws(APIError) -> [ClusterEvent] { try await call(Endpoints.events, String(after)) }
    /// The stream ends with an ``APIError`` when the node falls silent or goes away; ending the iteration ends the request.
    public func followEvents(after: UInt64) async throws(APIError) -> AsyncThrowingStream<ClusterEvent, any Error> {
        try await link.follow(Endpoints.followEvents, String(after), deadline: deadline)
    }

    public func noteEvent(_ request: NoteEventRequest) async throws(APIError) { _ = try await call(Endpoints.noteEvent, body: request) }

    public func prepareJoin(_ request: JoinPreparation) async throws(APIError) -> JoinOffer {
        try await call(Endpoints.prepareJoin, body: request)
    }
    public func deliverMembership(_ request: MembershipDelivery) async throws(APIError) {
        _ = try await call(Endpoints.deliverMembership, body: request)
    }
    public func activateMembership(_ request: JoinOrder) async throws(APIError) {
        _ = try await call(Endpoints.activateMembership, body: request)
    }
    public func joinState(_ request: JoinOrder) async throws(APIError) -> JoinState { try await call(Endpoints.joinState, body: request) }
    public func abortJoin(_ request: JoinOrder) async throws(APIError) { _ = try await call(Endpoints.abortJoin, body: request) }

    // MARK: Validation

    public func validationOffer() async throws(APIError) -> ValidationOffer { try await call(Endpoints.validationOffer) }
    public func startValidation(_ request: StartValidationRequest) async throws(APIError) -> ValidationStatus {
        try await call(Endpoints.startValidation, body: request)
    }
    /// The stream ends with an ``APIError`` when the node falls silent or goes away; ending the iteration ends the request.
    public func followValidation(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ValidationStatus, any Error> {
        try await link.follow(Endpoints.followValidation, id.uuidString, deadline: deadline)
    }
    public func cancelValidation(_ id: UUID) async throws(APIError) -> ValidationStatus {
        try await call(Endpoints.cancelValidation, id.uuidString)
    }
    public func validationReport(_ id: UUID) async throws(APIError) -> ValidationRun {
        try await call(Endpoints.validationReport, id.uuidString)
    }
    public func keptReports() async throws(APIError) -> [KeptReport] { try await call(Endpoints.keptReports) }
    public func fetchReports(_ notice: ReportNotice) async throws(APIError) { _ = try await call(Endpoints.fetchReports, body: notice) }
    public func probe(_ request: ProbeRequest) async throws(APIError) -> ProbeReply { try await call(Endpoints.probe, body: request) }
    public func probeFree(_ request: FreeProbeRequest) async throws(APIError) -> ProbeReply {
        try await call(Endpoints.probeFree, body: request)
    }

    // MARK: Calls

    private func call<Reply>(_ endpoint: Endpoint<NoContent, Reply>, _ parameters: String...) async throws(APIError) -> Reply {
        try await link.call(endpoint.description, parameters, body: nil, deadline: deadline)
    }

    private func call<Body, Reply>(
        _ endpoint: Endpoint<Body, Reply>, _ parameters: String..., body: Body
    ) async throws(APIError) -> Reply {
        let data: Data
        do { data = try APICoding.encoder.encode(body) } catch {
            throw APIError(.invalid, "The request cannot be written as JSON: \(error).")
        }
        return try await link.call(endpoint.description, parameters, body: data, deadline: deadline)
    }
}
