import ClusterModel
import Foundation
import Validation

/// Testing a configuration, before there is a cluster and at any time after.
public protocol ValidationOperations: Sendable {
    /// What can be validated from here, before anything is.
    func validationOffer() async throws(APIError) -> ValidationOffer
    /// Accepts the order and returns at once; this node then carries it out, one at a time. The status has ended already when a report
    /// was recent enough.
    func startValidation(_ request: StartValidationRequest) async throws(APIError) -> ValidationStatus
    /// The same validation again and again while it changes, ending with one that has ended.
    func followValidation(_ id: UUID) async throws(APIError) -> AsyncThrowingStream<ValidationStatus, any Error>
    /// Ends it: no further test begins, and what was left on the nodes is taken back. Follow it to its end.
    func cancelValidation(_ id: UUID) async throws(APIError) -> ValidationStatus
    /// What a validation found, once it ended; also of earlier ones that are kept.
    func validationReport(_ id: UUID) async throws(APIError) -> ValidationRun
    /// The reports that this node keeps, the newest first; at a member those that concern its cluster.
    func keptReports() async throws(APIError) -> [KeptReport]
    /// Nodes among themselves: fetches from that member the reports that this node lacks, and answers when it has them.
    func fetchReports(_ notice: ReportNotice) async throws(APIError)
    /// Nodes among themselves: looks at something or tries it, on this node.
    func probe(_ request: ProbeRequest) async throws(APIError) -> ProbeReply
    /// The same on a node that belongs to no cluster, for whoever knows its token. The token is not spent.
    func probeFree(_ request: FreeProbeRequest) async throws(APIError) -> ProbeReply
}

/// What the wizard must know before it asks.
public struct ValidationOffer: Hashable, Sendable, Codable {
    /// The node that was asked. It carries the validation out.
    public var node: NodeName
    /// Members of the cluster, or this node alone.
    public var nodes: [NodeName]
    public var cluster: ClusterName?
    /// Tests that this version of the node service can carry out.
    public var tests: [ValidationTestID]
    /// Disks that this node sees, to be named for tests that write.
    public var disks: [SharedDiskStatus]
    /// Why it sees no disks, if asking for them failed.
    public var diskProblem: String?
    public init(
        node: NodeName, nodes: [NodeName], cluster: ClusterName?, tests: [ValidationTestID], disks: [SharedDiskStatus], diskProblem: String?
    ) {
        self.node = node
        self.nodes = nodes
        self.cluster = cluster
        self.tests = tests
        self.disks = disks
        self.diskProblem = diskProblem
    }
}

public struct StartValidationRequest: Hashable, Sendable, Codable {
    /// In a cluster: some of its members. Empty: all of them. Without a cluster: the asked node and those of the tokens.
    public var nodes: [NodeName]
    /// One of each node that belongs to no cluster, but the one that is asked. Asked at a member, they are tested together with the members.
    public var tokens: [String]
    /// `all`, categories, tests; empty means all.
    public var tests: [String]
    public var skip: [String]
    /// Disks that tests may write to, in a scratch area that is put back at the end. Those that are in use or carry something of others
    /// are left alone all the same.
    public var disks: [DiskID]
    /// Every shared disk that carries nothing may be written to, besides those in ``disks``. Absent: no.
    public var allEmptyDisks: Bool?
    /// Mount points of file shares, the same on all nodes.
    public var shares: [String]
    /// Only unless a report of all tests for exactly these nodes is younger than so many seconds; then the answer is its end.
    public var unlessWithinSeconds: Int?
    public init(
        nodes: [NodeName] = [], tokens: [String] = [], tests: [String] = [], skip: [String] = [], disks: [DiskID] = [],
        allEmptyDisks: Bool? = nil, shares: [String] = [], unlessWithinSeconds: Int? = nil
    ) {
        self.unlessWithinSeconds = unlessWithinSeconds
        self.nodes = nodes
        self.tokens = tokens
        self.tests = tests
        self.skip = skip
        self.disks = disks
        self.allEmptyDisks = allEmptyDisks
        self.shares = shares
    }
}

/// A question to one node. See ``ProbeQuestion``.
public struct ProbeRequest: Hashable, Sendable, Codable {
    /// What is held open for a run is given back when the run finishes.
    public var run: UUID
    public var probe: String
    public var question: JSONValue
    public init(run: UUID, probe: String, question: JSONValue) {
        self.run = run
        self.probe = probe
        self.question = question
    }
}

public struct ProbeReply: Hashable, Sendable, Codable {
    public var evidence: JSONValue
    public init(evidence: JSONValue) { self.evidence = evidence }
}

public struct FreeProbeRequest: Hashable, Sendable, Codable {
    /// The 16 bytes that only the token tells.
    public var secret: Data
    public var request: ProbeRequest
    public init(secret: Data, request: ProbeRequest) {
        self.secret = secret
        self.request = request
    }
}

extension JSONValue {
    /// The JSON form of a value.
    public init(encoding value: some Encodable) throws {
        self = try APICoding.decoder.decode(JSONValue.self, from: APICoding.encoder.encode(value))
    }

    /// The value of which this is the JSON form.
    public func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        try APICoding.decoder.decode(Value.self, from: APICoding.encoder.encode(self))
    }
}
