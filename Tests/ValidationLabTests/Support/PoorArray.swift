import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Synchronization
import Testing

/// The lab's SAN as an array without persistent reservations: the nodes reach it through a relay that makes the target refuse them.
final class PoorArray: Sendable {
    private let stage: ValidationStage
    private let relay = Mutex<RunningCommand?>(nil)
    private static let (own, relayed) = ("10.72.0.254:3260", "10.72.0.254:3261")

    init(stage: ValidationStage) { self.stage = stage }

    func begin() async throws {
        let command = try stage.lab.san.start([stage.lab.tools.client, "relay", "--to", "10.72.0.254", "--refuse", "5e,5f"])
        relay.withLock { $0 = command }
        try await turn(from: Self.own, to: Self.relayed)
    }

    func end() async throws {
        try await turn(from: Self.relayed, to: Self.own)
        relay.withLock { $0.take() }?.terminate()
    }

    /// Lets every node find the SAN somewhere else, and waits until it does.
    private func turn(from old: String, to new: String) async throws {
        for node in stage.lab.nodes {
            let file = node.configurationFolder + "/node.yaml"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            try text.replacingOccurrences(of: old, with: new).write(toFile: file, atomically: false, encoding: .utf8)
            let before = node.member.processes(named: "apusd")
            node.signal(SIGTERM, processesNamed: "apusd")
            try #require(
                try await eventually(within: 60) {
                    let now = node.member.processes(named: "apusd")
                    return !now.isEmpty && Set(now).isDisjoint(with: before)
                })
            try await node.waitForService(seconds: 90)
            let client = try stage.client(of: node.name)
            try #require(try await eventually(within: 60) { (try? await client.disks())?.isEmpty == false }, "\(node.name) sees no disk")
        }
    }
}
