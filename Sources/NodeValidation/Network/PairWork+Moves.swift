import ClusterModel
import Foundation
import Validation

extension PairWork {
    /// Lets a made-up address move from one node to the other and back, on every bridge that both have, and looks whether frames follow it.
    func moves() async throws -> TestOutcome {
        guard nodes.count == 2, let one = context.inventory(of: nodes[0]), let other = context.inventory(of: nodes[1]) else {
            return TestOutcome()
        }
        let common = one.network.bridges.filter { bridge in
            !bridge.ports.isEmpty && other.network.bridges.contains { $0.name == bridge.name && !$0.ports.isEmpty }
        }
        guard !common.isEmpty else {
            return .notApplicable("\(one.node) and \(other.node) have no bridge in common that leads to a network.")
        }
        var moves: [MoveEvidence] = []
        // More than a few bridges tell nothing new: they lead to the same switches.
        for bridge in common.prefix(4) { moves += try await self.moves(on: bridge.name, one.node, other.node) }
        return MovedAddressJudge.judge(moves)
    }

    private static let frames = 25

    private func moves(on bridge: String, _ one: NodeName, _ other: NodeName) async throws -> [MoveEvidence] {
        // 02: one station's, locally administered. The rest is chance, so that two runs do not meet.
        let hardware = "02:" + (0..<5).map { _ in String(UInt8.random(in: 16...255), radix: 16) }.joined(separator: ":")
        let watchers = (
            one: try await context.ask(MovedAddressWatchQuestion(bridge: bridge, hardwareAddress: hardware), of: one),
            other: try await context.ask(
                MovedAddressWatchQuestion(bridge: bridge, hardwareAddress: hardware), of: other)
        )
        func send(_ kind: MovedAddressSendQuestion.Kind, from node: NodeName, first: Int, count: Int) async throws {
            _ = try await context.ask(
                MovedAddressSendQuestion(kind, bridge: bridge, hardwareAddress: hardware, first: first, count: count), of: node)
        }
        // It is at `one` first, and the switch has seen it answer there. Numbers tell what belongs to which move.
        try await send(.announcement, from: one, first: 0, count: 2)
        try await send(.frame, from: other, first: 0, count: 3)
        try await send(.announcement, from: other, first: 100, count: 1)
        try await send(.frame, from: one, first: 100, count: Self.frames)
        try await send(.announcement, from: one, first: 200, count: 1)
        try await send(.frame, from: other, first: 200, count: Self.frames)
        let seen = (
            one: try await context.ask(MovedAddressTallyQuestion(watcher: watchers.one.watcher), of: one),
            other: try await context.ask(MovedAddressTallyQuestion(watcher: watchers.other.watcher), of: other)
        )
        func move(from: NodeName, to: NodeName, base: Int, heard: [Int], arrived: [Int]) -> MoveEvidence {
            let range = base..<base + Self.frames
            return MoveEvidence(
                bridge: bridge, from: from, to: to, wasHeard: heard.contains(base), sent: Self.frames,
                arrived: arrived.filter(range.contains).map { $0 - base })
        }
        return [
            move(from: one, to: other, base: 100, heard: seen.one.announcements, arrived: seen.other.frames),
            move(from: other, to: one, base: 200, heard: seen.other.announcements, arrived: seen.one.frames),
        ]
    }
}
