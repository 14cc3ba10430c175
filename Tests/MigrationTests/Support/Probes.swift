import ClusterModel
import Foundation
import Lab
import LabTesting
import Testing

/// What `apus-lab-client udp`, and each kind of `frames`, counts.
struct CounterReport: Decodable, Sendable {
    var sent: Int
    var answered: Int
    var lost: Int
    var duplicated: Int
    var gapMaxMs: Double?
}

/// What `apus-lab-client echo` counts.
struct EchoReport: Decodable, Sendable {
    var answers: Int
    var errors: Int
    var gapMaxMs: Double?
    var lastError: String?
}

struct FramesReport: Decodable, Sendable {
    var unicast: CounterReport
    var broadcast: CounterReport
    var tagged: CounterReport
    var taggedBroadcast: CounterReport
}

/// A program in the lab's client that counts until it is told to end.
struct Probe<Report: Decodable & Sendable>: Sendable {
    private let running: RunningCommand
    private let words: [String]

    init(_ lab: Lab, _ words: [String], as: Report.Type) throws {
        self.words = words
        running = try lab.client.start([lab.tools.client] + words, seconds: 300)
    }

    func end() async throws -> Report {
        running.terminate()
        let result = try await running.result()
        try #require(result.isSuccess, "\(words) ended with \(result.code): \(result.errors)")
        return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    }
}

/// TCP and UDP over IPv4 and IPv6, all at the same time.
struct Traffic: Sendable {
    private let udp: [Probe<CounterReport>]
    private let echo: [Probe<EchoReport>]
    /// A line for each answer of ``echo``; written as answers come.
    private let traces: [String]

    /// Begins when the guest answers at both addresses: what is lost before says nothing about a move.
    init(_ lab: Lab, to machine: MovingMachine) async throws {
        let addresses = [machine.address.v4, machine.address.v6]
        for address in addresses {
            let isThere = try await eventually(within: 30) { try await machine.answers(at: address) }
            try #require(isThere, "\(machine.name) does not answer at \(address).")
        }
        udp = try addresses.map { try Probe(lab, ["udp", $0, "--interval-ms", "4"], as: CounterReport.self) }
        let traces = addresses.map { _ in NSTemporaryDirectory() + "apus-echo-\(UUID().uuidString)" }
        self.traces = traces
        echo = try zip(addresses, traces).map {
            try Probe(lab, ["echo", $0, "--interval-ms", "4", "--trace", $1], as: EchoReport.self)
        }
        try await Task.sleep(for: .milliseconds(400))
    }

    /// Whether every TCP connection goes on: so many more answers from now. How soon depends on how busy the machine is; a connection
    /// whose segment was lost goes on as well, later, so this is about one that does not.
    func goesOn(for answers: Int = 10, within seconds: Double = 60) async throws -> Bool {
        let before = traces.map(answered)
        return try await eventually(within: seconds) { zip(traces, before).allSatisfy { answered($0) >= $1 + answers } }
    }

    private func answered(_ trace: String) -> Int {
        // Nothing was written yet when there is no file.
        FileManager.default.contents(atPath: trace)?.count { $0 == UInt8(ascii: "\n") } ?? 0
    }

    /// Ends the probes; nothing may be lost, doubled or broken.
    func end() async throws -> (udp: [CounterReport], echo: [EchoReport]) {
        defer { for trace in traces { try? FileManager.default.removeItem(atPath: trace) } }
        try await Task.sleep(for: .milliseconds(400))
        var counters: [CounterReport] = []
        for probe in udp { counters.append(try await probe.end()) }
        var echoes: [EchoReport] = []
        for probe in echo { echoes.append(try await probe.end()) }
        return (counters, echoes)
    }
}
