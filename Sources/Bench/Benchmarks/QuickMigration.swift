import ClusterModel
import Foundation
import Lab

extension Bench {
    /// Moves a large machine with little active memory back and forth over a limited link.
    ///
    /// Ours is what QEMU sent, which is the memory that holds anything, by the time of the whole command. It is held against what a
    /// plain TCP connection carries between the same two nodes right before.
    func quickMigration(_ benchmark: Benchmark) async throws -> [Row] {
        guard let limit = BitRate("1Gbit") else { throw BenchError("1Gbit is no rate.") }
        try await apus.lab.limit(to: limit)
        do {
            let rows = try await limitedQuickMigration(benchmark)
            try await apus.lab.limit(to: nil)
            return rows
        } catch {
            // The lab may serve other benchmarks; that its link could not be freed shows in theirs, the first error counts here.
            try? await apus.lab.limit(to: nil)
            throw error
        }
    }

    private func limitedQuickMigration(_ benchmark: Benchmark) async throws -> [Row] {
        var (ours, line): ([Double], [Double]) = ([], [])
        // 1 MB a second: what was filled stays active, and the guest is alive.
        try await apus.boot(GuestShape(memoryMiB: 8_192, dirty: (1_024, 1)))
        do {
            for run in 1...runs {
                let (source, destination) = run % 2 == 1 ? ("n1", "n2") : ("n2", "n1")
                let rate = try await lineRate(from: source, to: destination)
                let move = try await apus.move(from: source, to: destination, ["--quick"])
                guard let bytes = move.transferredBytes else { throw BenchError("apus did not tell how much it sent.") }
                line.append(rate)
                ours.append(Double(bytes) * 8 / move.seconds / 1e6)
                let sent = "\(bytes >> 20) MiB in \(shortNumber(move.seconds)) s"
                progress("\(benchmark.rawValue) \(run)/\(runs)  \(apus.name): \(sent); line rate \(shortNumber(rate)) Mbit/s")
                // The source lets go of the machine a moment after the move, and refuses a machine of the same name until then.
                try await Task.sleep(for: .seconds(2))
            }
            try await apus.remove()
        } catch {
            try? await apus.remove()
            throw error
        }
        return [try Row(benchmark.rawValue, unit: "Mbit/s", ours: ours, peer: "line rate (TCP)", peers: line, goal: .ratioAtLeast(0.9))]
    }

    /// Payload bits a second, in units of a million, of one plain TCP connection over the migration network.
    private func lineRate(from source: String, to destination: String) async throws -> Double {
        struct Rate: Decodable { var bitsPerSecond: Double }
        let client = apus.lab.tools.client
        let receiver = try apus.lab.node(destination)
        let sink = try receiver.start([client, "sink"], seconds: 30)
        guard let address = receiver.address(on: .migration) else { throw BenchError("\(destination) has no migration address.") }
        // Until it listens: a connection that is refused is tried again.
        var sent = try await apus.lab.node(source).exec([client, "stream", address, "--seconds", "3"], seconds: 20)
        for _ in 0..<20 where !sent.isSuccess {
            try await Task.sleep(for: .milliseconds(100))
            sent = try await apus.lab.node(source).exec([client, "stream", address, "--seconds", "3"], seconds: 20)
        }
        guard sent.isSuccess else { throw BenchError("The line rate cannot be measured: \(sent.errors)") }
        // The last line; the first says that it listens.
        var result = try await sink.result()
        result.output = result.output.split(separator: "\n").last.map(String.init) ?? ""
        let rate: Rate = try decode(result, "apus-lab-client sink")
        guard rate.bitsPerSecond > 0 else { throw BenchError("Nothing came through the migration network from \(source).") }
        return rate.bitsPerSecond / 1e6
    }
}
