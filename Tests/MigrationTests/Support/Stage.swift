import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

/// The lab of the suite, ready for machines: both nodes answer, the SAN has a volume, the guest's image is there.
final class Stage: Sendable {
    @TaskLocal static var current: Stage?

    let lab: Lab
    let clients: [NodeName: NodeClient]
    /// The machine that most tests move about.
    let machine: MovingMachine

    static let n1 = NodeName(unchecked: "n1")
    static let n2 = NodeName(unchecked: "n2")
    static let nodes = [n1, n2]
    /// As the nodes see it; a small ring, so that reading it takes no time and it still holds the last minute.
    static let image = "/run/apus/guest.img"
    static let journalByteCount: UInt64 = 4 << 20
    static let journal = "apus.journal=10:/dev/vda:\(LabGuest.journalOffset):\(journalByteCount)"

    /// The stage of the suite that runs.
    static func get() throws -> Stage { try #require(current, "This test runs without its lab.") }

    static func build(prefix: String) async throws -> Stage {
        let description = try LabDescription(prefix: prefix, owner: getpid())
        let lab = try await LabBuilder(description, tools: .find(), nodes: .fixed, serviceSeconds: 90).up()
        var clients: [NodeName: NodeClient] = [:]
        for node in lab.nodes { clients[node.name] = NodeClient(socketPath: node.apiSocket) }
        let n1 = try lab.node("n1")
        try await lab.guest().makeImage(at: n1.runtimeFolder + "/guest.img", options: [journal])
        try await lab.makeVolume()
        let machine = MovingMachine(lab: lab, clients: clients, number: 10)
        try await machine.create()
        return Stage(lab: lab, clients: clients, machine: machine)
    }

    private init(lab: Lab, clients: [NodeName: NodeClient], machine: MovingMachine) {
        self.lab = lab
        self.clients = clients
        self.machine = machine
    }

    func close() async throws {
        for client in clients.values { await client.close() }
        try await LabBuilder.down(prefix: lab.description.prefix)
    }

    func client(of node: NodeName) throws -> NodeClient { try #require(clients[node]) }
    func node(_ name: NodeName) throws -> LabNode { try lab.node(name.rawValue) }

    /// Makes the next migration that leaves `node` wait in a phase, until the answer's `release` is called.
    func hold(_ phase: String, on node: NodeName) throws -> HeldPhase { try self.node(node).hold(phase) }
}

/// The other of the two nodes.
func other(_ node: NodeName) -> NodeName { node == Stage.n1 ? Stage.n2 : Stage.n1 }
