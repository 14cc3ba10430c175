import ArgumentParser
import ClusterAPI
import ClusterModel
import Foundation
import NodeClient

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "The cluster: form it, look at it, end it.",
        discussion: """
            EXAMPLES
              apus cluster create prod --nodes n1,n2 --token $(ssh n2 apus node token)
              apus cluster status
              apus cluster quorum
              apus cluster destroy prod
            """,
        subcommands: [CreateCluster.self, ClusterStatus.self, ClusterQuorum.self, StartCluster.self, DestroyCluster.self])
}

struct CreateCluster: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Form a cluster of this node and others.",
        discussion: """
            Asked at one of the nodes; none of them belongs to a cluster yet. Each other node shows a one-time word with \
            `apus node token`. The nodes are validated first, as `apus validate` does, unless that was done within the last day; if they are \
            not suitable you are asked whether to go on. If anything fails, every node is left as it was.

            WITNESS: an even number of nodes needs one to break a tie. `auto` takes the first shared disk that all nodes see, which must \
            be empty; an odd number does without.

            EXAMPLES
              apus cluster create prod --nodes n1,n2 --token $(ssh n2 apus node token)
              apus cluster create prod --nodes n1,n2,n3 --token WORD --token WORD
              apus cluster create prod --nodes n1,n2 --token WORD --witness disk:ID
            """)
    @Argument(help: "How the cluster will be called.", transform: parseClusterName) var name: ClusterName
    @Option(help: ArgumentHelp("Every node of it, this one included.", valueName: "n1,n2,..."), transform: parseNodeNames)
    var nodes: [NodeName] = []
    @Option(
        name: .customLong("token"), help: ArgumentHelp("What `apus node token` printed on another node; once for each.", valueName: "word"))
    var tokens: [String] = []
    @Option(help: ArgumentHelp("auto, disk:ID, share:PATH or none.", valueName: "witness"), transform: parseWitness)
    var witness = WitnessChoice.auto
    @Flag(help: "Destroy what the witness disk carries.") var force = false
    @OptionGroup var prior: PriorValidationOptions
    @OptionGroup var connection: ConnectionOptions

    func run(asking client: NodeClient) async throws {
        let validation = try await prior.validate(tokens, nodes: nodes, asking: client, isQuiet: connection.json)
        let request = CreateClusterRequest(
            name: name, nodes: nodes, tokens: tokens, witness: witness, force: force, validation: validation)
        try await follow(try await client.createCluster(request), asking: client)
    }
}

struct ClusterStatus: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "What this node is to a cluster, and how the cluster is.",
        discussion: """
            EXAMPLE
              apus cluster status
            """)
    @OptionGroup var connection: ConnectionOptions

    func run(asking client: NodeClient) async throws {
        let membership = try await client.membership()
        guard membership.state == .member else { return try show(membership) { Self.text(membership) } }
        let report = try await client.clusterStatus()
        try show(report) { ClusterText.status(report) }
    }

    static func text(_ membership: Membership) -> String {
        Table.list([
            ("Node", membership.node.rawValue), ("Cluster", membership.cluster ?? "none"), ("State", membership.state.rawValue),
            ("UUID", membership.clusterID?.uuidString.lowercased()), ("Note", membership.note),
        ])
    }
}

struct DestroyCluster: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "destroy", abstract: "End the cluster: every node belongs to none afterwards.",
        discussion: """
            Refused while machines run. Volumes and what is on them stay; the witness disk is made empty. Asks first when it runs on a \
            terminal. A node that does not answer is left out only with --force; it has to be made a free one by itself later.

            With --local only this node is made a free one: one that was evicted, or that was left over by a cluster that is gone.

            EXAMPLES
              apus cluster destroy prod
              apus cluster destroy --local
              apus cluster destroy --local --force
            """)
    @Argument(help: "The cluster's name.", transform: parseClusterName) var name: ClusterName?
    @Flag(help: "Only make this node a free one.") var local = false
    @Flag(help: "Although a node does not answer; with --local: although this one was not evicted.") var force = false
    @Flag(help: "Do not ask.") var yes = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if name == nil, !local { throw ValidationError("Give the name of the cluster, or --local to make only this node a free one.") }
    }

    func run(asking client: NodeClient) async throws {
        let what = local ? "Make this node a free one; it forgets its cluster" : "End the cluster \(name.map { "\($0)" } ?? "")"
        guard yes || Console.confirm("\(what)?") else { throw CommandFailure(message: "nothing was changed.") }
        let request = DestroyClusterRequest(name: name, localOnly: local, force: force)
        try await follow(try await client.destroyCluster(request), asking: client)
    }
}

func parseClusterName(_ text: String) throws -> ClusterName {
    do { return try ClusterName(text) } catch { throw ValidationError(error.description) }
}

func parseNodeNames(_ text: String) throws -> [NodeName] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { try parseNodeName(String($0)) }
}

func parseWitness(_ text: String) throws -> WitnessChoice {
    guard let choice = WitnessChoice(text) else {
        throw ValidationError("\"\(text)\" is no witness; write auto, none, disk:ID or share:/PATH.")
    }
    return choice
}
