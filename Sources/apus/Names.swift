import ArgumentParser
import ClusterModel
import NodeClient

// Names are checked while the command line is parsed: a slip is a usage error, not a question to a node.

func parseVMName(_ text: String) throws -> VMName {
    do { return try VMName(text) } catch { throw ValidationError(error.description) }
}

func parseNodeName(_ text: String) throws -> NodeName {
    do { return try NodeName(text) } catch { throw ValidationError(error.description) }
}

/// Completes names by asking the node service; offers nothing where none answers.
enum Completions {
    static let machines = CompletionKind.custom { _, _, _ in await machineNames() }
    static let nodes = CompletionKind.custom { _, _, _ in await nodeNames() }
    static let disks = CompletionKind.custom { _, _, _ in await diskNames() }

    private static var client: NodeClient {
        get async { NodeClient(socketPath: await HomeNode.find().socket).waiting(.seconds(2)) }
    }
    private static func machineNames() async -> [String] { (try? await client.machines().map(\.machine.name.rawValue)) ?? [] }
    private static func nodeNames() async -> [String] { (try? await client.nodes().map(\.name.rawValue)) ?? [] }
    private static func diskNames() async -> [String] { (try? await client.disks().map(\.id.rawValue)) ?? [] }
}
