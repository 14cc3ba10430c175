import ArgumentParser
import ClusterAPI
import ClusterModel
import NodeClient

struct NodeToken: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print a one-time word that lets another node take this one into a cluster.",
        discussion: """
            Run it as root on the node that shall join. The word tells where the node is and what it will show there, and proves that \
            whoever has it saw this terminal; carry it over a way that you trust. It can be used once, and is void after an hour, or \
            when the node service is restarted.

            EXAMPLES
              apus node token
              apus node token --valid 10m
              apus cluster create prod --nodes n1,n2 --token $(ssh n2 apus node token)
            """)
    @Option(
        name: .customLong("valid"), help: ArgumentHelp("How long it may be used: 1m to 24h.", valueName: "time"), transform: parseLifetime)
    var lifetime = 3_600
    @OptionGroup var connection: ConnectionOptions

    func run(asking client: NodeClient) async throws {
        let reply = try await client.makeToken(TokenRequest(lifetimeSeconds: lifetime))
        // The word alone, so that a script can take it; what it is good for goes to standard error.
        try show(reply) { reply.token }
        if !connection.json {
            Console.progress(
                "Lets \(reply.node) at \(reply.address):\(reply.port) be taken into a cluster once, until \(APICoding.text(of: reply.expires)).\n"
            )
        }
    }
}

struct AddNode: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Take another node into the cluster.",
        discussion: """
            Asked at any member. The node gets its certificates and the configuration, and its vote once it holds all of it. A node that \
            cannot be added stays as it was. It is validated together with the members first, as `apus validate` does, unless that was \
            done within the last day.

            EXAMPLE
              apus node add $(ssh n3 apus node token)
            """)
    @Argument(help: ArgumentHelp("What `apus node token` printed on the node.", valueName: "word")) var token: String
    @OptionGroup var prior: PriorValidationOptions
    @OptionGroup var connection: ConnectionOptions

    func run(asking client: NodeClient) async throws {
        let validation = try await prior.validate([token], asking: client, isQuiet: connection.json)
        try await follow(try await client.addNode(AddNodeRequest(token: token, validation: validation)), asking: client)
    }
}

struct EvictNode: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "evict", abstract: "Stop a node and remove it from the cluster.",
        discussion: """
            Asked at another member. The node must run no machines; move them first. It belongs to no cluster afterwards.

            A node that does not answer is removed only with --force. First make sure that it is off: nothing here can stop what it may \
            still be writing. When it comes back it is refused, and says so.

            EXAMPLES
              apus node evict n3
              apus node evict n3 --force
            """)
    @Argument(help: "The node.", completion: Completions.nodes, transform: parseNodeName) var node: NodeName
    @Flag(help: "Also when it does not answer; it is certain to be off.") var force = false
    @OptionGroup var connection: ConnectionOptions

    func run(asking client: NodeClient) async throws {
        try await follow(try await client.evictNode(node, ForceRequest(force: force)), asking: client)
    }
}

struct StopNode: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop a member; it stays one, also after a reboot, until it is started.",
        discussion: """
            The node must run no machines; move them first. With --force its machines are stopped.

            EXAMPLES
              apus node stop n2
              apus node stop n2 --force
            """)
    @Argument(help: "The node.", completion: Completions.nodes, transform: parseNodeName) var node: NodeName
    @Flag(help: "Stop its machines first.") var force = false
    @OptionGroup var connection: ConnectionOptions

    func run(asking client: NodeClient) async throws {
        try await follow(try await client.stopNode(node, ForceRequest(force: force)), asking: client)
    }
}

struct StartNode: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a member that was stopped.",
        discussion: """
            EXAMPLE
              apus node start n2
            """)
    @Argument(help: "The node.", completion: Completions.nodes, transform: parseNodeName) var node: NodeName
    @OptionGroup var connection: ConnectionOptions

    func run(asking client: NodeClient) async throws {
        try await follow(try await client.startNode(node), asking: client)
    }
}

/// `90s`, `10m`, `2h`, or seconds.
func parseLifetime(_ text: String) throws -> Int {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600]
    let unit = text.last.flatMap { units[$0] }
    let digits = unit == nil ? text[...] : text.dropLast()
    guard digits.utf8.count <= 6, let number = Int(digits), case let seconds = number * (unit ?? 1), (60...86_400).contains(seconds) else {
        throw ValidationError("\"\(text)\" is no time a token may last; write 1m to 24h.")
    }
    return seconds
}
