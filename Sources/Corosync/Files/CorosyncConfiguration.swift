import ClusterModel
import Foundation

/// What Apus writes into corosync.conf(5).
///
/// The fixed choices are measured ones: knet with explicit pings, because its ping timeout otherwise follows the token and links flap
/// below 600 ms; `expected_votes` always written, because with a quorum device Corosync otherwise forgets the device's vote at a cold
/// start and two halves are quorate; no `two_node`, `wait_for_all` or `last_man_standing`, which exclude a device; never master wins.
public struct CorosyncConfiguration: Hashable, Sendable {
    public struct Node: Hashable, Sendable {
        public var id: CorosyncNodeID
        public var name: NodeName
        /// One IP address for each link: one or two, in the same order on all nodes.
        public var addresses: [String]
        public var votes: UInt32

        public init(id: CorosyncNodeID, name: NodeName, addresses: [String], votes: UInt32 = 1) {
            self.id = id
            self.name = name
            self.addresses = addresses
            self.votes = votes
        }
    }

    /// How fast a lost node is noticed: about 2.1 times the token, which grows by the coefficient with each node beyond two.
    public struct Timing: Hashable, Sendable {
        public var token: Duration = .milliseconds(1_000)
        public var tokenCoefficient: Duration = .milliseconds(100)
        public var pingInterval: Duration = .milliseconds(200)
        /// knet looks at its links every 200 ms; less than three times that makes them flap. A link that came up a few seconds ago is
        /// given up only after up to 2.6 s, a settled one after 1 s.
        public var pingTimeout: Duration = .milliseconds(800)
        public init() {}
    }

    /// The quorum device by which ``Votequorum`` casts the witness's vote.
    public struct Witness: Hashable, Sendable {
        public var votes: UInt32 = 1
        /// A vote counts this long after the last poll.
        public var timeout: Duration = .milliseconds(3_000)
        /// How long a change of membership waits for the vote. All nodes wait, and all messages with them.
        public var syncTimeout: Duration = .milliseconds(5_000)
        public init() {}
    }

    public var clusterID: UUID
    public var clusterName: String
    /// `config_version`: higher after each change. A node that starts with a lower one than the cluster's ends itself.
    public var version: UInt64
    public var nodes: [Node]
    public var witness: Witness?
    public var timing: Timing
    public var keyFile = "/etc/corosync/authkey"
    public var logFile = "/var/log/corosync/corosync.log"

    public init(
        clusterID: UUID, clusterName: String, version: UInt64, nodes: [Node], witness: Witness?, timing: Timing = Timing()
    ) {
        self.clusterID = clusterID
        self.clusterName = clusterName
        self.version = version
        self.nodes = nodes
        self.witness = witness
        self.timing = timing
    }

    /// `model` of the quorum device. Corosync only asks that there is one.
    public static let deviceModel = "apus-disk"

    public var linkCount: Int { nodes.first?.addresses.count ?? 0 }

    /// The votes of all nodes and the witness's.
    public var expectedVotes: UInt64 { nodes.reduce(UInt64(witness?.votes ?? 0)) { $0 + UInt64($1.votes) } }
}

/// Why a corosync.conf is not usable or may not be touched.
public enum CorosyncConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Every problem, each a sentence.
    case invalid([String])
    case notOurs
    /// The file says that Apus wrote it, but it is not what Apus writes.
    case damaged(line: Int?, String)

    public var description: String {
        switch self {
        case .invalid(let problems): "The Corosync configuration is not usable. " + problems.joined(separator: " ")
        case .notOurs: "This corosync.conf was not written by Apus."
        case .damaged(let line, let problem):
            "This corosync.conf was written by Apus and changed since: \(line.map { "line \($0): " } ?? "")\(problem) "
                + "Restore it from another node of the cluster."
        }
    }
}
