import ClusterModel
import Validation

/// The table of everything that can be asked of a node over HTTP.
public enum Endpoints {
    public static let openAPI = Endpoint<NoContent, OpenAPIDocument>(
        .get, "/openapi.json", "This description", for: .operators, deadline: .seconds(5))
    public static let ping = Endpoint<NoContent, NoContent>(
        .get, "/v1/ping", "Nothing: says that the node answers, and opens a connection for calls to come", for: .operators,
        deadline: .seconds(5))

    // Operators.
    public static let nodes = Endpoint<NoContent, [NodeStatus]>(
        .get, "/v1/nodes", "Every configured node", for: .operators, deadline: .seconds(10))
    public static let machines = Endpoint<NoContent, [VMStatus]>(
        .get, "/v1/machines", "Every machine of the cluster, sorted by name", for: .operators, deadline: .seconds(10))
    public static let createMachine = Endpoint<CreateMachineRequest, VMStatus>(
        .post, "/v1/machines", "Create a machine; it is left stopped", for: .operators, deadline: .seconds(3_600))
    public static let machine = Endpoint<NoContent, VMStatus>(
        .get, "/v1/machines/{name}", "One machine", for: .operators, deadline: .seconds(10))
    public static let deleteMachine = Endpoint<NoContent, NoContent>(
        .delete, "/v1/machines/{name}", "Delete a stopped machine and its disks", for: .operators, deadline: .seconds(60))
    public static let startMachine = Endpoint<NoContent, VMStatus>(
        .post, "/v1/machines/{name}/start", "Start a machine on its owner", for: .operators, deadline: .seconds(60))
    public static let stopMachine = Endpoint<StopMachineRequest, VMStatus>(
        .post, "/v1/machines/{name}/stop", "Shut a machine down, or end it at once", for: .operators, deadline: .seconds(300))
    public static let planMigration = Endpoint<MigrationOrder, MigrationPlan>(
        .post, "/v1/machines/{name}/migration-plan", "Predict what a migration would cost; nothing is moved", for: .operators,
        deadline: .seconds(60))
    public static let startMigration = Endpoint<MigrationOrder, MigrationStatus>(
        .post, "/v1/machines/{name}/migration", "Order a migration; replies once it is accepted or refused", for: .operators,
        deadline: .seconds(30))
    public static let cancelMigration = Endpoint<NoContent, MigrationStatus>(
        .delete, "/v1/machines/{name}/migration", "Cancel the machine's migration; refused once switchover has begun",
        for: .operators, deadline: .seconds(30))
    public static let migrations = Endpoint<NoContent, [MigrationStatus]>(
        .get, "/v1/migrations", "Migrations under way and the last hundred that ended, newest first", for: .operators,
        deadline: .seconds(10))
    public static let followMigration = Endpoint<NoContent, MigrationStatus>(
        .get, "/v1/migrations/{id}/events", "A migration again and again while it changes, until it ended", for: .operators,
        deadline: .seconds(10), replies: .lines)
    public static let disks = Endpoint<NoContent, [SharedDiskStatus]>(
        .get, "/v1/disks", "Shared disks that the node sees", for: .operators, deadline: .seconds(30))
    public static let initializeDisk = Endpoint<InitializeDiskRequest, SharedDiskStatus>(
        .post, "/v1/disks/initialize", "Make a disk a Cluster Shared Volume", for: .operators, deadline: .seconds(120))

    // Nodes among themselves.
    public static let facts = Endpoint<NoContent, NodeFacts>(
        .get, "/v1/peer/facts", "What this node can offer to a machine", for: .peers, deadline: .seconds(2))
    public static let ownMachines = Endpoint<NoContent, [VMStatus]>(
        .get, "/v1/peer/machines", "Machines that this node owns or receives", for: .peers, deadline: .seconds(5))
    public static let ownMigrations = Endpoint<NoContent, [MigrationStatus]>(
        .get, "/v1/peer/migrations", "Migrations that this node sends or has sent", for: .peers, deadline: .seconds(5))
    public static let allocate = Endpoint<AllocationRequest, VirtualMachine>(
        .post, "/v1/peer/allocations", "Coordinator: give a machine its extents and its ownership record", for: .peers,
        deadline: .seconds(30))
    public static let release = Endpoint<VirtualMachine, NoContent>(
        .post, "/v1/peer/allocations/release", "Coordinator: take back a machine's extents and its ownership record", for: .peers,
        deadline: .seconds(30))
    public static let prepareIncoming = Endpoint<IncomingOffer, IncomingReady>(
        .post, "/v1/peer/incoming", "Build a machine ready to receive memory", for: .peers, deadline: .seconds(30))
    public static let incomingState = Endpoint<NoContent, IncomingState>(
        .get, "/v1/peer/incoming/{migration}", "How far a machine is received", for: .peers, deadline: .seconds(5))
    public static let resumeIncoming = Endpoint<ResumeRequest, ResumeReply>(
        .post, "/v1/peer/incoming/{migration}/resume", "Ownership is committed: run the machine and hand it these frames",
        for: .peers, deadline: .seconds(30), maxRequestBytes: 32 << 20)
    public static let deliverFrames = Endpoint<FrameDelivery, FrameReply>(
        .post, "/v1/peer/incoming/{migration}/frames", "Hand frames to a machine that was resumed here", for: .peers,
        deadline: .seconds(10), maxRequestBytes: 32 << 20)
    public static let recoverIncoming = Endpoint<NoContent, IncomingReady>(
        .post, "/v1/peer/incoming/{migration}/recover", "Post-copy whose link broke: open a new port to go on through", for: .peers,
        deadline: .seconds(10))
    public static let discardIncoming = Endpoint<DiscardRequest, NoContent>(
        .post, "/v1/peer/incoming/{migration}/discard", "The source keeps the machine: throw the half-received one away",
        for: .peers, deadline: .seconds(30))
    public static let openLinkTest = Endpoint<NoContent, LinkTestReady>(
        .post, "/v1/peer/link-test", "Open a port on the migration address that swallows what comes", for: .peers,
        deadline: .seconds(5))

    // Who belongs to the cluster.
    public static let membership = Endpoint<NoContent, Membership>(
        .get, "/v1/membership", "What this node is to a cluster", for: .operators, deadline: .seconds(5))
    public static let makeToken = Endpoint<TokenRequest, TokenReply>(
        .post, "/v1/membership/token", "Make a token with which another node may take this one into a cluster", for: .root,
        deadline: .seconds(5))
    public static let createCluster = Endpoint<CreateClusterRequest, ClusterChange>(
        .post, "/v1/cluster", "Form a cluster of this node and others", for: .operators, deadline: .seconds(30))
    public static let addNode = Endpoint<AddNodeRequest, ClusterChange>(
        .post, "/v1/nodes", "Take a node into the cluster", for: .operators, deadline: .seconds(30))
    public static let evictNode = Endpoint<ForceRequest, ClusterChange>(
        .post, "/v1/nodes/{name}/evict", "Stop a node and remove it from the cluster", for: .operators, deadline: .seconds(30))
    public static let stopNode = Endpoint<ForceRequest, ClusterChange>(
        .post, "/v1/nodes/{name}/stop", "Stop a member; it stays one", for: .operators, deadline: .seconds(30))
    public static let startNode = Endpoint<NoContent, ClusterChange>(
        .post, "/v1/nodes/{name}/start", "Start a member that was stopped", for: .operators, deadline: .seconds(30))
    public static let destroyCluster = Endpoint<DestroyClusterRequest, ClusterChange>(
        .post, "/v1/cluster/destroy", "End the cluster; every node belongs to none afterwards", for: .operators, deadline: .seconds(30))
    public static let followChange = Endpoint<NoContent, ClusterChange>(
        .get, "/v1/cluster/changes/{id}/events", "A change of the cluster again and again while it goes on, until it ended",
        for: .operators, deadline: .seconds(10), replies: .lines)

    public static let obey = Endpoint<MemberOrder, NoContent>(
        .post, "/v1/peer/membership", "Stop, start, or leave the cluster", for: .peers, deadline: .seconds(120))
    public static let corosyncFiles = Endpoint<NoContent, CorosyncFilesReply>(
        .get, "/v1/peer/corosync", "Corosync's files as this member has them", for: .peers, deadline: .seconds(5))

    // The cluster as a whole.
    public static let clusterStatus = Endpoint<NoContent, ClusterStatusReport>(
        .get, "/v1/cluster", "The cluster as this node sees it: votes, witness, what may fail next", for: .operators, deadline: .seconds(5))
    public static let setQuorum = Endpoint<SetQuorumRequest, ClusterStatusReport>(
        .post, "/v1/cluster/quorum", "Change how quorum is counted", for: .operators, deadline: .seconds(30))
    public static let setWitness = Endpoint<SetWitnessRequest, ClusterChange>(
        .post, "/v1/cluster/witness", "Give the cluster another witness, or none", for: .operators, deadline: .seconds(30))
    public static let forceQuorum = Endpoint<ForceQuorumRequest, ClusterStatusReport>(
        .post, "/v1/cluster/quorum/force", "Make this partition go on without a majority; what the others changed is lost", for: .operators,
        deadline: .seconds(60))
    public static let events = Endpoint<NoContent, [ClusterEvent]>(
        .get, "/v1/cluster/events/{after}", "The history after an event, oldest first; 0 for all that is kept", for: .operators,
        deadline: .seconds(5))
    public static let followEvents = Endpoint<NoContent, ClusterEvent>(
        .get, "/v1/cluster/events/{after}/follow", "The history after an event, and then every event as it happens", for: .operators,
        deadline: .seconds(10), replies: .lines)
    public static let noteEvent = Endpoint<NoteEventRequest, NoContent>(
        .post, "/v1/cluster/events", "Write a line into the history", for: .operators, deadline: .seconds(15), maxRequestBytes: 16 << 10)

    // Validation.
    public static let validationOffer = Endpoint<NoContent, ValidationOffer>(
        .get, "/v1/validations/offer", "What can be validated from here", for: .operators, deadline: .seconds(15))
    public static let startValidation = Endpoint<StartValidationRequest, ValidationStatus>(
        .post, "/v1/validations", "Validate a configuration; replies once it is accepted or refused", for: .operators,
        deadline: .seconds(15))
    public static let followValidation = Endpoint<NoContent, ValidationStatus>(
        .get, "/v1/validations/{id}/events", "A validation again and again while it changes, until it ended", for: .operators,
        deadline: .seconds(10), replies: .lines)
    public static let cancelValidation = Endpoint<NoContent, ValidationStatus>(
        .delete, "/v1/validations/{id}", "End a validation; what it left on the nodes is taken back", for: .operators,
        deadline: .seconds(10))
    public static let validationReport = Endpoint<NoContent, ValidationRun>(
        .get, "/v1/validations/{id}/report", "What a validation found", for: .operators, deadline: .seconds(10))
    public static let keptReports = Endpoint<NoContent, [KeptReport]>(
        .get, "/v1/validations", "The reports that this node keeps, the newest first", for: .operators, deadline: .seconds(15))
    public static let fetchReports = Endpoint<ReportNotice, NoContent>(
        .post, "/v1/peer/reports", "Fetch the reports that this node lacks from the member named", for: .peers, deadline: .seconds(30),
        maxRequestBytes: 4 << 10)
    public static let probe = Endpoint<ProbeRequest, ProbeReply>(
        .post, "/v1/peer/probe", "Look at something or try it on this node, for a validation", for: .peers, deadline: .seconds(60))
    public static let probeFree = Endpoint<FreeProbeRequest, ProbeReply>(
        .post, "/v1/join/probe", "The same on a node that belongs to no cluster; does not spend the token", for: .joiners,
        deadline: .seconds(60), maxRequestBytes: 64 << 10)

    // A node that belongs to no cluster, and whoever knows its token.
    public static let prepareJoin = Endpoint<JoinPreparation, JoinOffer>(
        .post, "/v1/join/prepare", "Tell who this node is and what it has; spends a token", for: .joiners, deadline: .seconds(15),
        maxRequestBytes: 64 << 10)
    public static let deliverMembership = Endpoint<MembershipDelivery, NoContent>(
        .post, "/v1/join/deliver", "Keep what makes this node a member, without effect", for: .joiners, deadline: .seconds(30),
        maxRequestBytes: 64 << 20)
    public static let activateMembership = Endpoint<JoinOrder, NoContent>(
        .post, "/v1/join/activate", "Make this node a member", for: .joiners, deadline: .seconds(30), maxRequestBytes: 64 << 10)
    public static let joinState = Endpoint<JoinOrder, JoinState>(
        .post, "/v1/join/state", "How far the new member is", for: .joiners, deadline: .seconds(5), maxRequestBytes: 64 << 10)
    public static let abortJoin = Endpoint<JoinOrder, NoContent>(
        .post, "/v1/join/abort", "Make this node what it was before", for: .joiners, deadline: .seconds(60), maxRequestBytes: 64 << 10)

    public static let all: [EndpointDescription] = [
        openAPI.description, ping.description,
        nodes.description, machines.description, createMachine.description, machine.description, deleteMachine.description,
        startMachine.description, stopMachine.description, planMigration.description, startMigration.description,
        cancelMigration.description, migrations.description, followMigration.description, disks.description,
        initializeDisk.description,
        facts.description, ownMachines.description, ownMigrations.description, allocate.description, release.description,
        prepareIncoming.description, incomingState.description, resumeIncoming.description, deliverFrames.description,
        recoverIncoming.description, discardIncoming.description, openLinkTest.description,
        membership.description, makeToken.description, createCluster.description, addNode.description, evictNode.description,
        stopNode.description, startNode.description, destroyCluster.description, followChange.description, obey.description,
        corosyncFiles.description,
        clusterStatus.description, setQuorum.description, setWitness.description, forceQuorum.description, events.description,
        followEvents.description, noteEvent.description,
        validationOffer.description, startValidation.description, followValidation.description, cancelValidation.description,
        validationReport.description, keptReports.description, fetchReports.description, probe.description, probeFree.description,
        prepareJoin.description, deliverMembership.description, activateMembership.description, joinState.description,
        abortJoin.description,
    ]
}

/// The body of ``Endpoints/stopMachine``.
public struct StopMachineRequest: Hashable, Sendable, Codable {
    /// End it at once instead of asking the guest to shut down.
    public var force: Bool
    public init(force: Bool) { self.force = force }
}

/// The body of ``Endpoints/discardIncoming``.
public struct DiscardRequest: Hashable, Sendable, Codable {
    /// Why, for the destination's log.
    public var reason: String
    public init(reason: String) { self.reason = reason }
}
