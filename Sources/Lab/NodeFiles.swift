import ClusterModel
import Foundation
import NodeIdentity

/// The files that an administrator would put on each node.
struct NodeFiles: Sendable {
    let lab: Lab

    /// Folders, `node.yaml`, the SAN's secret, the node's identity and a hosts file.
    func write(now: Date) throws(LabError) {
        let folder = lab.folder
        for node in lab.nodes {
            try Files.makeFolder(folder.etc(node.name))
            try Files.makeFolder(folder.state(node.name))
            try Files.makeFolder(folder.run(node.name))
            // JSON is YAML.
            try Files.writeJSON(configuration(of: node), to: folder.etc(node.name) + "/node.yaml")
            try Files.write(Data((lab.record.credentials.secret + "\n").utf8), to: folder.etc(node.name) + "/san-secret", mode: 0o600)
        }
        let hosts =
            ["127.0.0.1 localhost", "::1 localhost", "\(LabNetwork.sanAddress) san"]
            + lab.nodes.map { "\($0.address(on: .cluster) ?? "") \($0.name)" }
        try Files.write(Data((hosts.joined(separator: "\n") + "\n").utf8), to: folder.hosts)
    }

    private func configuration(of node: LabNode) -> NodeConfiguration {
        NodeConfiguration(
            cluster: lab.folder.prefix, node: node.name,
            nodes: lab.nodes.map {
                NodeAddress(name: $0.name, cluster: $0.address(on: .cluster) ?? "", migration: $0.address(on: .migration) ?? "")
            },
            san: SANConfiguration(
                portal: SAN.portal, target: lab.sanTarget, initiator: SAN.initiator(node.name), user: lab.record.credentials.user,
                secretFile: "/etc/apus/san-secret"))
    }
}
