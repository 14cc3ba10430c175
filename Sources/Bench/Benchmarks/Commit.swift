import Foundation
import Lab

/// A change of the configuration, acknowledged: three nodes, one writer or many, against the disk and the ring alone, and against etcd.
struct CommitBench: Sendable {
    static let prefix = "bcom"
    private static let seconds = 5
    private static let floorCount = 2_000
    let cluster: ClusterSide
    let etcd: EtcdSide
    let programs: BenchPrograms
    var runs: Int
    var progress: @Sendable (String) -> Void

    static func up(
        _ tools: LabTools, _ programs: BenchPrograms, runs: Int, progress: @escaping @Sendable (String) -> Void
    ) async throws -> CommitBench {
        let cluster = try await ClusterSide.up(tools, prefix: prefix, nodes: 3)
        try await cluster.requireDisk()
        return CommitBench(
            cluster: cluster, etcd: try await EtcdSide.up(tools), programs: programs, runs: runs, progress: progress)
    }

    /// One sync of the node's disk and one round trip of the ring, without Apus: the least that an acknowledged change can cost.
    private func floor() async throws -> Latencies {
        let node = try cluster.lab.node("n1")
        let words = [programs.corosync, "floor", "/var/lib/apus/bench-floor", String(Self.floorCount)]
        return try decode(try await node.exec(words, seconds: 120), "corosync floor")
    }

    /// Writers on the node that formed the cluster, which leads its log: beside the leader, as with etcd.
    private func write(writers: Int) async throws -> Latencies {
        let words = [programs.writers, "apus", "/run/apus/apusd.sock", String(writers), String(Self.seconds)]
        return try decode(try await cluster.lab.node("n1").exec(words, seconds: Self.seconds + 30), "writers apus")
    }

    func oneWriter(_ benchmark: Benchmark) async throws -> [Row] {
        let name = benchmark.rawValue
        var (least, ours, theirs): ([Latencies], [Latencies], [Latencies]) = ([], [], [])
        // The first changes find cold caches and files that still grow, on both sides.
        _ = (try await write(writers: 4), try await etcd.write(programs, writers: 4, seconds: 2))
        for run in 1...runs {
            least.append(try await floor())
            ours.append(try await write(writers: 1))
            theirs.append(try await etcd.write(programs, writers: 1, seconds: Self.seconds))
            let (a, b, c) = (least[run - 1], ours[run - 1], theirs[run - 1])
            progress("\(name) \(run)/\(runs)  sync + round trip: \(words(a)); \(cluster.name): \(words(b)); \(etcd.name): \(words(c))")
        }
        let floor = "sync + round trip"
        return [
            try Row(
                name + "-p50", unit: "ms", ours: ours.map(\.p50), peer: floor, peers: least.map(\.p50), goal: .ratioAtMost(2)),
            try Row(
                name + "-p99", unit: "ms", ours: ours.map(\.p99), peer: floor, peers: least.map(\.p99), goal: .ratioAtMost(3)),
            try Row(
                name + "-p50-etcd", unit: "ms", ours: ours.map(\.p50), peer: etcd.name, peers: theirs.map(\.p50), goal: .ratioAtMost(1)),
        ]
    }

    func manyWriters(_ benchmark: Benchmark) async throws -> [Row] {
        let name = benchmark.rawValue
        var (ours, theirs): ([Double], [Double]) = ([], [])
        _ = (try await write(writers: 64), try await etcd.write(programs, writers: 64, seconds: 2))
        for run in 1...runs {
            let mine = try await write(writers: 64)
            let peer = try await etcd.write(programs, writers: 64, seconds: Self.seconds)
            progress(
                "\(name) \(run)/\(runs)  \(cluster.name): \(shortNumber(mine.perSecond ?? 0))/s, \(words(mine)); "
                    + "\(etcd.name): \(shortNumber(peer.perSecond ?? 0))/s, \(words(peer))")
            ours.append(mine.perSecond ?? 0)
            theirs.append(peer.perSecond ?? 0)
        }
        return [try Row(name, unit: "changes/s", ours: ours, peer: etcd.name, peers: theirs, goal: .ratioAtLeast(1.5))]
    }

    private func words(_ latencies: Latencies) -> String { "\(shortNumber(latencies.p50)) ms, p99 \(shortNumber(latencies.p99))" }
}
