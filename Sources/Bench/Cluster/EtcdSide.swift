import ClusterModel
import Foundation
import Lab

/// Three members of etcd in a lab of bare nodes, without TLS, syncing to the same disk as ours.
struct EtcdSide: Sendable {
    static let prefix = "betcd"
    let name: String
    private let lab: Lab
    private let members: [RunningCommand]
    private let leader: String

    static func up(_ tools: LabTools) async throws -> EtcdSide {
        guard access("/usr/bin/etcd", X_OK) == 0, access("/usr/bin/etcdctl", X_OK) == 0 else {
            throw BenchError("etcd and etcdctl are missing; `make bench` installs them.")
        }
        let lab = try await LabBuilder(LabDescription(prefix: prefix, nodeCount: 3), tools: tools, nodes: .bare).up()
        let cluster = lab.nodes.map { "\($0.name)=\(url($0, 2380))" }.joined(separator: ",")
        let members = try lab.nodes.map { node in
            // Its log goes to a file: it says much.
            try node.start(
                [
                    "sh", "-c", "exec \"$@\" >/run/apus/etcd.log 2>&1", "sh", "etcd", "--name", node.name.rawValue,
                    "--data-dir", "/var/lib/apus/etcd", "--logger", "zap", "--listen-peer-urls", url(node, 2380),
                    "--initial-advertise-peer-urls", url(node, 2380), "--listen-client-urls", url(node, 2379),
                    "--advertise-client-urls", url(node, 2379), "--initial-cluster", cluster,
                ], seconds: 7_200)
        }
        let leader = try await leader(of: lab)
        let version = try await lab.node("n1").exec(["etcdctl", "version"]).output
        let number = version.split(separator: "\n").first?.split(separator: " ").last.map(String.init) ?? "?"
        return EtcdSide(name: "etcd \(number)", lab: lab, members: members, leader: leader)
    }

    private static func url(_ node: LabNode, _ port: Int) -> String { "http://\(node.address(on: .cluster) ?? ""):\(port)" }

    private struct EndpointStatus: Decodable {
        struct Status: Decodable {
            struct Header: Decodable {
                var memberID: UInt64
                enum CodingKeys: String, CodingKey { case memberID = "member_id" }
            }
            var header: Header
            var leader: UInt64
        }
        var endpoint: String
        var status: Status
        enum CodingKeys: String, CodingKey {
            case endpoint = "Endpoint"
            case status = "Status"
        }
    }

    /// - Returns: The name of the node whose member leads.
    private static func leader(of lab: Lab) async throws -> String {
        let endpoints = lab.nodes.map { url($0, 2379) }.joined(separator: ",")
        let end = ContinuousClock.now + .seconds(30)
        var said = ""
        while ContinuousClock.now < end {
            let words = ["env", "ETCDCTL_API=3", "etcdctl", "--endpoints", endpoints, "endpoint", "status", "-w", "json"]
            let result = try await lab.node("n1").exec(words, seconds: 10)
            said = result.errors
            if result.isSuccess {
                let statuses: [EndpointStatus] = try decode(result, "etcdctl endpoint status")
                let leaders = statuses.filter { $0.status.leader != 0 && $0.status.leader == $0.status.header.memberID }
                if statuses.count == lab.nodes.count, let leader = leaders.first?.endpoint,
                    let node = lab.nodes.first(where: { url($0, 2379) == leader })
                {
                    return node.name.rawValue
                }
            }
            try await Task.sleep(for: .milliseconds(300))
        }
        throw BenchError("etcd has no leader after 30 s: \(said)")
    }

    /// Writers beside the leader, which answers soonest.
    func write(_ programs: BenchPrograms, writers: Int, seconds: Int) async throws -> Latencies {
        let node = try lab.node(leader)
        let address = "\(node.address(on: .cluster) ?? ""):2379"
        let words = [programs.writers, "etcd", address, String(writers), String(seconds)]
        return try decode(try await node.exec(words, seconds: seconds + 30), "writers etcd")
    }
}
