import Foundation
import Lab

/// How fast the rules can be tried: seeds of 5,000 steps a minute, all cores busy.
struct SimulateRate: Sendable {
    private static let seeds = 200
    let simulator: String
    var runs: Int
    var progress: @Sendable (String) -> Void

    init(_ tools: LabTools, runs: Int, progress: @escaping @Sendable (String) -> Void) throws {
        simulator = (tools.apusd as NSString).deletingLastPathComponent + "/apus-simulate"
        guard access(simulator, X_OK) == 0 else { throw BenchError("\(simulator) is missing; `make bench` builds it.") }
        self.runs = runs
        self.progress = progress
    }

    func rows(_ benchmark: Benchmark) async throws -> [Row] {
        var rates: [Double] = []
        for run in 1...runs {
            let words = [simulator, "--seed", String(run * 1_000), "--seeds", String(Self.seeds), "--steps", "5000"]
            let start = MonotonicTime.now
            let result = try await hostCommand(words, seconds: 600)
            let took = MonotonicTime.now - start
            guard result.isSuccess else { throw BenchError("apus-simulate failed: \(result.output.suffix(1_000))\(result.errors)") }
            rates.append(Double(Self.seeds) / took * 60)
            progress("\(benchmark.rawValue) \(run)/\(runs)  \(shortNumber(rates[run - 1])) seeds a minute")
        }
        return [
            try Row(benchmark.rawValue, unit: "seeds/min", ours: rates, peer: "limit", peers: [200], goal: .medianAtLeast(200))
        ]
    }
}
