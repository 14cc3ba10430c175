import ClusterModel
import Foundation
import NodeIdentity

/// The files that an administrator would put on each node.
struct NodeFiles: Sendable {
    let lab: Lab

    /// Folders, `node.yaml`, the SAN's secret, the node's identity and a hosts file.
    func write() throws(LabError) {
        let folder = lab.folder
        for node in lab.nodes {
            try Files.makeFolder(folder.etc(node.name))
            try Files.makeFolder(folder.state(node.name))
            try Files.makeFolder(folder.run(node.name))
            for part in ["etc", "lib", "log"] { try Files.makeFolder(folder.corosync(node.name) + "/" + part) }
            // JSON is YAML.
            let file = folder.etc(node.name) + "/node.yaml"
            if isFixed {
                try Files.writeJSON(configuration(of: node), to: file)
            } else {
                try Files.writeJSON(settings(of: node), to: file)
            }
            try Files.write(Data((lab.record.credentials.secret + "\n").utf8), to: folder.etc(node.name) + "/san-secret", mode: 0o600)
        }
        // Nodes of no cluster get theirs when one is formed.
        if isFixed { try writeIdentities(now: Date()) }
        let hosts =
            ["127.0.0.1 localhost", "::1 localhost", "\(LabNetwork.sanAddress) san"]
            + lab.nodes.map { "\($0.address(on: .cluster) ?? "") \($0.name)" }
        try Files.write(Data((hosts.joined(separator: "\n") + "\n").utf8), to: folder.hosts)
    }

    /// A certificate authority of the lab's own, whose key is kept nowhere: a lab is made as a whole.
    private func writeIdentities(now: Date) throws(LabError) {
        guard let user = getpwnam(Self.machineUser) else {
            throw .refused("There is no user \(Self.machineUser), as which QEMU runs. Make it with: make setup")
        }
        let group = user.pointee.pw_gid
        do {
            let authority = try CertificateAuthority.create(cluster: lab.folder.prefix, now: now)
            for node in lab.nodes {
                let addresses = [LabNetwork.cluster, .migration].compactMap { node.address(on: $0) }
                try authority.issueNodeCertificate(node: node.name.rawValue, addresses: addresses, now: now)
                    .write(to: lab.folder.etc(node.name) + "/identity", machineGroup: group)
            }
        } catch { throw .refused("The certificates of the nodes cannot be made: \(error)") }
    }

    private var isFixed: Bool { lab.record.nodes != .unjoined }
    private static let machineUser = "apus-qemu"

    private func configuration(of node: LabNode) -> NodeConfiguration {
        NodeConfiguration(
            cluster: lab.folder.prefix, node: node.name,
            nodes: lab.nodes.map {
                NodeAddress(name: $0.name, cluster: $0.address(on: .cluster) ?? "", migration: $0.address(on: .migration) ?? "")
            },
            san: san(of: node))
    }

    private func settings(of node: LabNode) -> NodeSettings {
        NodeSettings(
            node: node.name,
            addresses: LocalAddresses(
                cluster: node.address(on: .cluster) ?? "",
                cluster2: lab.description.clusterLinks > 1 ? node.address(on: .cluster2) : nil,
                migration: node.address(on: .migration) ?? ""),
            san: san(of: node))
    }

    private func san(of node: LabNode) -> SANConfiguration {
        SANConfiguration(
            portal: SAN.portal, target: lab.sanTarget, initiator: SAN.initiator(node.name), user: lab.record.credentials.user,
            secretFile: "/etc/apus/san-secret")
    }
}
