import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient

/// A node of two loses power: how long until the other one may run machines and change things, against Corosync's own detection.
struct FailoverBench: Sendable {
    static let prefix = "bfail"
    let cluster: ClusterSide
    let programs: BenchPrograms
    var runs: Int
    var progress: @Sendable (String) -> Void

    static func up(
        _ tools: LabTools, _ programs: BenchPrograms, runs: Int, progress: @escaping @Sendable (String) -> Void
    ) async throws -> FailoverBench {
        FailoverBench(
            cluster: try await ClusterSide.up(tools, prefix: prefix, nodes: 2), programs: programs, runs: runs, progress: progress)
    }

    /// - Parameter isTaken: The node that dies held the witness, so the other one has to take it.
    func rows(_ benchmark: Benchmark, isTaken: Bool) async throws -> [Row] {
        let name = benchmark.rawValue
        var (ours, detection): ([Double], [Double]) = ([], [])
        for run in 1...runs {
            let trial = try await trial(isTaken: isTaken)
            ours.append(trial.open)
            detection.append(trial.detected)
            progress("\(name) \(run)/\(runs)  new ring after \(shortNumber(trial.detected)) s, quorate after \(shortNumber(trial.open)) s")
        }
        return [
            try Row(
                name, unit: "s", ours: ours, peer: "corosync's new ring", peers: detection,
                goal: isTaken ? .atMostPeer(times: 1.3, plus: 3) : .ratioAtMost(1.3))
        ]
    }

    private func trial(isTaken: Bool) async throws -> (open: Double, detected: Double) {
        try await cluster.waitUntilWhole()
        // The heartbeats on the witness and the pulses of the log shall have come into their rhythm.
        try await Task.sleep(for: .seconds(2))
        let holder = try await cluster.holder()
        guard let other = cluster.lab.nodes.first(where: { $0.name != holder }) else { throw BenchError("The lab has one node only.") }
        let victim = isTaken ? try cluster.lab.node(holder.rawValue) : other
        let survivor = isTaken ? other : try cluster.lab.node(holder.rawValue)
        let rings = try survivor.start([programs.corosync, "rings", "60"], seconds: 90)
        let client = try cluster.client(survivor.name.rawValue)
        try await client.warmUp()
        try await Task.sleep(for: .seconds(1))

        let began = MonotonicTime.now
        try await victim.powerOff()
        let open = try await self.open(client, without: victim.name)
        // It prints a line at once for each ring; what it printed is whole when it has ended.
        rings.terminate()
        let lines = try await rings.result().output.split(separator: "\n").map { $0.split(separator: " ").compactMap { Double($0) } }
        guard let ring = lines.first(where: { $0.count == 2 && $0[0] > began * 1e9 && $0[1] == 1 }) else {
            throw BenchError("Corosync on \(survivor.name) formed no ring of its own.")
        }
        try await victim.powerOn()
        return (open - began, ring[0] / 1e9 - began)
    }

    /// - Returns: When the node said for the first time that it may act without the other one.
    private func open(_ client: NodeClient, without victim: NodeName) async throws -> Double {
        let end = MonotonicTime.now + 60
        var last = ""
        while MonotonicTime.now < end {
            let report = try await client.clusterStatus()
            if report.isOpen, report.nodes.contains(where: { $0.name == victim && !$0.isPresent }) { return MonotonicTime.now }
            last = report.configuration
            try await Task.sleep(for: .milliseconds(5))
        }
        throw BenchError("The survivor may not act after 60 s: \(last)")
    }
}

/// The clock that programs in C share with this one.
enum MonotonicTime {
    /// In seconds.
    static var now: Double {
        var time = timespec()
        _ = clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
