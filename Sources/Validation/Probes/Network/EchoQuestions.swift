import ClusterModel
import Foundation

public enum EchoTransport: String, Hashable, Sendable, Codable { case udp, tcp }

/// Opens a port that answers: UDP gives each datagram back, TCP accepts connections.
public struct EchoListenQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// For ``EchoTallyQuestion``.
        public var listener: UUID
        public var port: Int
        public init(listener: UUID, port: Int) {
            self.listener = listener
            self.port = port
        }
    }
    public static let name = "echo-listen"
    public var transport: EchoTransport
    public var address: String
    /// The first of these that is free; 0 lets the system choose.
    public var ports: [Int]
    public init(_ transport: EchoTransport, address: String, ports: [Int]) {
        self.transport = transport
        self.address = address
        self.ports = ports
    }
}

/// Closes such a port, and tells what came.
public struct EchoTallyQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// Datagrams or connections.
        public var received: Int
        public init(received: Int) { self.received = received }
    }
    public static let name = "echo-tally"
    public var listener: UUID
    public init(listener: UUID) { self.listener = listener }
}

/// Sends to such a port, one after the other, and waits for each answer.
public struct EchoSendQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var sent: Int
        /// Milliseconds from sending to the answer, for those that were answered.
        public var answers: [Double]
        /// What the system said when something could not be sent.
        public var problem: String?
        public init(sent: Int, answers: [Double], problem: String? = nil) {
            self.sent = sent
            self.answers = answers
            self.problem = problem
        }
    }
    public static let name = "echo-send"
    public var transport: EchoTransport
    /// This node's address on the network in question.
    public var from: String
    public var to: String
    public var port: Int
    public var count: Int
    /// Of UDP: what follows the UDP header.
    public var payloadBytes: Int
    /// Routers may not cut it up, and neither may this node.
    public var isWhole: Bool
    public init(_ transport: EchoTransport, from: String, to: String, port: Int, count: Int, payloadBytes: Int = 64, isWhole: Bool = false)
    {
        self.transport = transport
        self.from = from
        self.to = to
        self.port = port
        self.count = count
        self.payloadBytes = payloadBytes
        self.isWhole = isWhole
    }
}

/// What the node's clock says now.
public struct ClockQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var now: WallTime
        public init(now: WallTime) { self.now = now }
    }
    public static let name = "clock"
    public init() {}
}

/// What was seen between two nodes on one network, in one direction.
public struct EchoEvidence: Hashable, Sendable {
    public var from: NodeName
    public var to: NodeName
    /// `cluster network 10.0.1.0/24`.
    public var network: String
    public var port: Int
    public var sending: EchoSendQuestion.Evidence
    /// How many arrived; nil when the other node was not asked.
    public var received: Int?
    public init(from: NodeName, to: NodeName, network: String, port: Int, sending: EchoSendQuestion.Evidence, received: Int?) {
        self.from = from
        self.to = to
        self.network = network
        self.port = port
        self.sending = sending
        self.received = received
    }
}
