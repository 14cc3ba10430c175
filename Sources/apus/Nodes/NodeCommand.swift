import ArgumentParser
import ClusterModel
import NodeClient

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "The hosts of the cluster.",
        discussion: """
            EXAMPLES
              apus node list
              apus node token                    on a node that shall join: prints the word that lets it in
              apus node add WORD                 on a member: takes that node in
              apus node evict n3
            """,
        subcommands: [List.self, NodeToken.self, AddNode.self, EvictNode.self, StopNode.self, StartNode.self])

    struct List: NodeQuestion {
        static let configuration = CommandConfiguration(
            abstract: "Every node, whether it answers, and what it has to offer.",
            discussion: """
                ACCELERATION is found by starting a tiny guest on the node: kvm runs guests at the speed of the host, tcg \
                translates them and is many times slower. The coordinator is the node that allocates disk space.

                EXAMPLES
                  apus node list
                  apus node list --json | jq -r '.[] | select(.problem) | .name'
                """)
        @OptionGroup var connection: ConnectionOptions

        func run(asking client: NodeClient) async throws {
            let nodes = try await client.nodes()
            try show(nodes) { Self.text(nodes) }
        }

        static func text(_ nodes: [NodeStatus]) -> String {
            var table = Table("NAME", "ADDRESS", "STATE", ">MEMORY", ">FREE", ">MACHINES", "ACCELERATION", "QEMU", "ROLE")
            for node in nodes {
                let facts = node.facts
                table.add(
                    node.name.rawValue, node.address, facts == nil ? "no answer" : "up",
                    facts.map { Units.mebibytes($0.memoryTotalMiB) }, facts.map { Units.mebibytes($0.memoryAvailableMiB) },
                    facts.map { String($0.machinesRunning) }, facts?.acceleration.rawValue, facts?.qemuVersion,
                    node.isCoordinator ? "coordinator" : nil)
            }
            let problems = nodes.compactMap { node in node.problem.map { "\(node.name): \($0)" } }
            // TCG is slow; why it is used is the first thing an administrator asks.
            let slow = nodes.compactMap { node in
                node.facts.flatMap { $0.acceleration == .tcg ? "\(node.name): \($0.accelerationEvidence)" : nil }
            }
            return ([table.text(none: "No node is configured.")] + slow + problems).joined(separator: "\n")
        }
    }
}
