import ClusterModel
import Foundation
import Yams

/// Reads `/etc/apus/node.yaml`.
public enum NodeConfigurationFile {
    /// What the file describes.
    public enum Content: Hashable, Sendable {
        /// `cluster` and `nodes` stand in it: a fixed list, without a replicated configuration.
        case fixed(NodeConfiguration)
        /// Only what the node knows of itself. Whether it is a member says its state folder.
        case local(NodeSettings)
    }

    /// - Throws: ``NodeConfigurationError`` that names the file and what to correct.
    public static func load(_ path: String) throws(NodeConfigurationError) -> Content {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw NodeConfigurationError(file: path, problem: "The file cannot be read. Create it, or name another one with --config.")
        }
        let content: Content
        do {
            let form = try YAMLDecoder().decode(Form.self, from: data)
            content =
                form.isFixed
                ? .fixed(try YAMLDecoder().decode(NodeConfiguration.self, from: data))
                : .local(try YAMLDecoder().decode(NodeSettings.self, from: data))
        } catch {
            throw NodeConfigurationError(file: path, problem: "It does not describe a node: \(error)")
        }
        let problem =
            switch content {
            case .fixed(let configuration): problem(of: configuration)
            case .local(let settings): problem(of: settings)
            }
        if let problem { throw NodeConfigurationError(file: path, problem: problem) }
        return content
    }

    /// Which of the two forms it is.
    private struct Form: Decodable {
        var isFixed: Bool
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            isFixed = container.contains(.cluster) || container.contains(.nodes)
        }
        enum Key: String, CodingKey { case cluster, nodes }
    }

    static func problem(of settings: NodeSettings) -> String? {
        let addresses = [settings.addresses.cluster, settings.addresses.cluster2, settings.addresses.migration].compactMap(\.self)
        for address in addresses where !isIPAddress(address) {
            return "addresses: \"\(address)\" is no IP address; write it as 10.71.0.1 or fd00::1. Names need a name server at boot."
        }
        let own = NodeAddress(name: settings.node, cluster: settings.addresses.cluster, migration: settings.addresses.migration)
        return problem(of: settings.configuration(cluster: "", nodes: [own], identity: ""))
    }

    private static func isIPAddress(_ text: String) -> Bool {
        var octets = [UInt8](repeating: 0, count: 16)
        return [AF_INET, AF_INET6].contains { inet_pton($0, text, &octets) == 1 }
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
    public init(file: String, problem: String) {
        self.file = file
        self.problem = problem
    }
    public var description: String { "\(file): \(problem)" }
}

extension NodeConfiguration {
    public var ownAddress: NodeAddress {
        guard let address = nodes.first(where: { $0.name == node }) else {
            preconditionFailure("a configuration that was loaded lists its own node \(node)")
        }
        return address
    }
}
