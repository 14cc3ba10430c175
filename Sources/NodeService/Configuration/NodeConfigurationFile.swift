import ClusterModel
import Foundation
import Yams

/// Reads `/etc/apus/node.yaml`.
public enum NodeConfigurationFile {
    /// - Throws: ``NodeConfigurationError`` that names the file and what to correct.
    public static func load(_ path: String) throws(NodeConfigurationError) -> NodeConfiguration {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw NodeConfigurationError(file: path, problem: "The file cannot be read. Create it, or name another one with --config.")
        }
        let configuration: NodeConfiguration
        do {
            configuration = try YAMLDecoder().decode(NodeConfiguration.self, from: data)
        } catch {
            throw NodeConfigurationError(file: path, problem: "It does not describe a node: \(error)")
        }
        if let problem = problem(of: configuration) { throw NodeConfigurationError(file: path, problem: problem) }
        return configuration
    }

    static func problem(of configuration: NodeConfiguration) -> String? {
        let names = configuration.nodes.map(\.name)
        if !names.contains(configuration.node) { return "nodes: does not list \(configuration.node), the node itself." }
        if Set(names).count != names.count { return "nodes: a name is listed twice." }
        if !(1...65_535).contains(configuration.apiPort) { return "apiPort: \(configuration.apiPort) is no TCP port; use 1 to 65535." }
        if configuration.outgoingMigrations < 1 || configuration.incomingMigrations < 1 {
            return "outgoingMigrations and incomingMigrations: must be at least 1."
        }
        // sun_path holds 108 bytes (unix(7)); machine folders add up to 90.
        if configuration.directories.runtime.utf8.count > 40 { return "directories.runtime: keep it within 40 characters." }
        return nil
    }
}

public struct NodeConfigurationError: Error, CustomStringConvertible {
    public var file: String
    public var problem: String
    public var description: String { "\(file): \(problem)" }
}

extension NodeConfiguration {
    public var ownAddress: NodeAddress {
        guard let address = nodes.first(where: { $0.name == node }) else {
            preconditionFailure("a configuration that was loaded lists its own node \(node)")
        }
        return address
    }
    func address(of node: NodeName) -> NodeAddress? { nodes.first { $0.name == node } }
    var peers: [NodeAddress] { nodes.filter { $0.name != node } }
    /// The only node that writes volume metadata.
    var coordinator: NodeName { nodes[0].name }
    var isCoordinator: Bool { coordinator == node }
}
