import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient

extension Bench {
    /// Resident memory of the node service that has defined twenty machines and answered for them a few times.
    func serviceMemory(_ benchmark: Benchmark) async throws -> [Row] {
        let client = try apus.client("n1")
        var names: [VMName] = []
        do {
            for number in 1...20 {
                let mac = String(format: "52:54:00:77:02:%02x", number)
                let definition = try apus.definition("defined-\(number)", GuestShape(memoryMiB: 512, dirty: nil), mac: mac)
                _ = try await client.createMachine(CreateMachineRequest(definition: definition))
                names.append(definition.name)
            }
            var samples: [Double] = []
            for _ in 0..<runs {
                guard try await client.machines().count(where: { names.contains($0.machine.name) }) == names.count else {
                    throw BenchError("Node n1 does not list the machines that it has.")
                }
                try await Task.sleep(for: .seconds(1))
                samples.append(try residentMegabytes())
            }
            progress("\(benchmark.rawValue)  \(apus.name): \(samples.map(shortNumber).joined(separator: ", ")) MB")
            for name in names { try await client.deleteMachine(name) }
            return [try Row(benchmark.rawValue, unit: "MB", ours: samples, peer: "limit", peers: [100], goal: .medianAtMost(100))]
        } catch {
            for name in names { try? await client.deleteMachine(name) }
            throw error
        }
    }

    /// Of the node service on the first node (proc(5), VmRSS), in units of a million bytes.
    private func residentMegabytes() throws -> Double {
        let processes = try apus.lab.node("n1").member.processes(named: "apusd")
        let sizes = processes.compactMap { process -> Double? in
            text("/proc/\(process)/status")?.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
                .flatMap { Double($0.filter(\.isNumber)) }
        }
        guard let kibibytes = sizes.max() else { throw BenchError("apusd does not run on node n1.") }
        return kibibytes * 1_024 / 1e6
    }
}
