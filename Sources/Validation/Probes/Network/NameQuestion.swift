import ClusterModel

/// What the node's resolver says of other nodes: nsswitch.conf(5) decides whom it asks.
public struct NameQuestion: ProbeQuestion {
    public struct Host: Codable, Hashable, Sendable {
        public var name: NodeName
        /// Its address on the cluster network.
        public var address: String
        public init(name: NodeName, address: String) {
            self.name = name
            self.address = address
        }
    }
    public struct Answer: Codable, Hashable, Sendable {
        public var host: Host
        /// Addresses that the name leads to, each once.
        public var addresses: [String]
        /// Names that the address leads to.
        public var names: [String]
        /// What the resolver said instead, when it did not answer in time: a sentence.
        public var problem: String?
        public init(host: Host, addresses: [String], names: [String], problem: String? = nil) {
            self.host = host
            self.addresses = addresses
            self.names = names
            self.problem = problem
        }
    }
    public struct Evidence: Codable, Hashable, Sendable {
        public var answers: [Answer]
        public init(answers: [Answer]) { self.answers = answers }
    }
    public static let name = "names"
    public var hosts: [Host]
    public init(hosts: [Host]) { self.hosts = hosts }
}
