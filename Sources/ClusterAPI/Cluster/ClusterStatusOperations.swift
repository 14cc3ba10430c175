import ClusterModel

/// Looking at the cluster, and setting how it counts.
public protocol ClusterStatusOperations: Sendable {
    /// As this node sees it, at once: nobody else is asked.
    func clusterStatus() async throws(APIError) -> ClusterStatusReport
    /// Changes how quorum is counted; the cluster goes on meanwhile.
    func setQuorum(_ request: SetQuorumRequest) async throws(APIError) -> ClusterStatusReport
    /// Gives the cluster another witness, or none, while it runs.
    func setWitness(_ request: SetWitnessRequest) async throws(APIError) -> ClusterChange
    /// Makes this partition go on without a majority. What the others changed meanwhile is lost.
    func forceQuorum(_ request: ForceQuorumRequest) async throws(APIError) -> ClusterStatusReport
    /// The history of the cluster after an event, oldest first.
    ///
    /// - Parameter after: The id of the last event known; 0 for all that are kept.
    func events(after: UInt64) async throws(APIError) -> [ClusterEvent]
    /// The same, and then every event as it happens.
    func followEvents(after: UInt64) async throws(APIError) -> AsyncThrowingStream<ClusterEvent, any Error>
    /// Writes a line of somebody's own into the history. It is there for good when this returns: durable on a majority of votes.
    func noteEvent(_ request: NoteEventRequest) async throws(APIError)
}

/// The cluster as one node sees it: `apus cluster status` and `apus cluster quorum`.
public struct ClusterStatusReport: Hashable, Sendable, Codable {
    public var cluster: String
    /// The node that was asked.
    public var node: NodeName
    /// Whether the partition of that node may run machines and change things.
    public var isOpen: Bool
    /// Why it is open or not.
    public var configuration: String
    public var model: QuorumModel
    public var isModelAutomatic: Bool
    public var isDynamic: Bool
    public var secondsUntilStop: Int
    public var votesPresent: Int
    public var votesNeeded: Int
    public var votesTotal: Int
    /// What may fail next without stopping the cluster, in plain words.
    public var tolerance: String
    public var warnings: [String]
    public var nodes: [MemberLine]
    public var witness: WitnessLine?
    /// The last change of the configuration that this node knows.
    public var index: UInt64

    public init(
        cluster: String, node: NodeName, isOpen: Bool, configuration: String, model: QuorumModel, isModelAutomatic: Bool, isDynamic: Bool,
        secondsUntilStop: Int, votesPresent: Int, votesNeeded: Int, votesTotal: Int, tolerance: String, warnings: [String],
        nodes: [MemberLine], witness: WitnessLine?, index: UInt64
    ) {
        self.cluster = cluster
        self.node = node
        self.isOpen = isOpen
        self.configuration = configuration
        self.model = model
        self.isModelAutomatic = isModelAutomatic
        self.isDynamic = isDynamic
        self.secondsUntilStop = secondsUntilStop
        self.votesPresent = votesPresent
        self.votesNeeded = votesNeeded
        self.votesTotal = votesTotal
        self.tolerance = tolerance
        self.warnings = warnings
        self.nodes = nodes
        self.witness = witness
        self.index = index
    }

    /// A node of the cluster.
    public struct MemberLine: Hashable, Sendable, Codable {
        public var name: NodeName
        public var id: NodeID
        public var state: NodeState
        public var votes: Int
        /// In the ring of the node that was asked.
        public var isPresent: Bool
        public var isCoordinator: Bool
        /// Machines that the configuration says it owns.
        public var machines: Int
        public init(
            name: NodeName, id: NodeID, state: NodeState, votes: Int, isPresent: Bool, isCoordinator: Bool, machines: Int
        ) {
            self.name = name
            self.id = id
            self.state = state
            self.votes = votes
            self.isPresent = isPresent
            self.isCoordinator = isCoordinator
            self.machines = machines
        }
    }

    public struct WitnessLine: Hashable, Sendable, Codable {
        /// What it is: "witness disk ...".
        public var description: String
        public var condition: WitnessStatus.Condition
        public var votes: Int
        /// The node that holds it, as the asked node read last.
        public var holder: NodeName?
        public var problem: String?
        public init(description: String, condition: WitnessStatus.Condition, votes: Int, holder: NodeName?, problem: String?) {
            self.description = description
            self.condition = condition
            self.votes = votes
            self.holder = holder
            self.problem = problem
        }
    }
}

/// What is to change; nil leaves it as it is.
public struct SetQuorumRequest: Hashable, Sendable, Codable {
    public var model: QuorumModel?
    /// Let the number of nodes decide about the model.
    public var isModelAutomatic: Bool?
    public var isDynamic: Bool?
    public var secondsUntilStop: Int?
    /// Take the witness out of the count, for work on the array, or back into it.
    public var isWitnessInMaintenance: Bool?
    public init(
        model: QuorumModel? = nil, isModelAutomatic: Bool? = nil, isDynamic: Bool? = nil, secondsUntilStop: Int? = nil,
        isWitnessInMaintenance: Bool? = nil
    ) {
        self.model = model
        self.isModelAutomatic = isModelAutomatic
        self.isDynamic = isDynamic
        self.secondsUntilStop = secondsUntilStop
        self.isWitnessInMaintenance = isWitnessInMaintenance
    }
}

public struct SetWitnessRequest: Hashable, Sendable, Codable {
    public var witness: WitnessChoice
    /// Take the disk or folder although it carries something else, which is destroyed.
    public var force: Bool
    public init(witness: WitnessChoice, force: Bool = false) {
        self.witness = witness
        self.force = force
    }
}

public struct ForceQuorumRequest: Hashable, Sendable, Codable {
    /// Why, for the history.
    public var reason: String
    public init(reason: String) { self.reason = reason }
}

/// A line for the history, by somebody who wants it remembered there: work on a switch, a disk that was replaced.
public struct NoteEventRequest: Hashable, Sendable, Codable {
    /// 1 to ``maximumByteCount`` bytes of UTF-8, in one line.
    public var sentence: String
    /// ``ClusterEvent/Severity/information`` unless told otherwise.
    public var severity: ClusterEvent.Severity?
    /// The history keeps some hundred events and is part of every copy of the configuration.
    public static let maximumByteCount = 2_048
    public init(sentence: String, severity: ClusterEvent.Severity? = nil) {
        self.sentence = sentence
        self.severity = severity
    }

    /// - Throws: ``APIError/Code/invalid`` with what is allowed.
    public func check() throws(APIError) {
        guard (1...Self.maximumByteCount).contains(sentence.utf8.count) else {
            throw APIError(.invalid, "A note has 1 to \(Self.maximumByteCount) bytes, not \(sentence.utf8.count).")
        }
        // Lines of the history are read by people in terminals: nothing in them may move the cursor or feign another line.
        guard sentence.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }) else {
            throw APIError(.invalid, "A note is one line of text, without control characters.")
        }
    }
}
