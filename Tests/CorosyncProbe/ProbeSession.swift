import Corosync
import Foundation

struct UsageError: Error, CustomStringConvertible { var description: String }

/// The connections that the commands have made.
actor ProbeSession {
    private var group: ProcessGroup?
    private var votequorum: Votequorum?
    private let map = ConfigurationMap()
    private let control = CorosyncControl()
    private var device: ProbeDevice?
    private var tasks: [Task<Void, Never>] = []
    private var printsMessages = true

    func perform(_ command: String, _ words: [String]) async throws -> [String: Report.Value] {
        switch command {
        case "join": return try await join(words)
        case "send": try await joined().send(Array(words.joined(separator: " ").utf8), within: .seconds(5))
        case "send-size": try await joined().send([UInt8](repeating: 7, count: try number(words, 0)))
        case "send-size-within":
            try await joined().send([UInt8](repeating: 7, count: try number(words, 0)), within: .milliseconds(try number(words, 1) as Int))
        case "storm": return try await storm(words)
        case "burst": return try await burst(words)
        case "post": return try post(words)
        case "stalled": return ["text": .string(try joined().stalledSince == nil ? "no" : "yes")]
        case "quiet": printsMessages = false
        case "leave": await group?.leave()
        case "quorum": try await connectVotequorum(words)
        case "close-quorum":
            await device?.stop()
            device = nil
            votequorum?.close()
            votequorum = nil
        case "device":
            let device = ProbeDevice(name: words.first ?? "apus-disk", votequorum: try connected())
            try await device.start(vote: words.dropFirst().first.map { $0 == "1" } ?? false)
            self.device = device
            if let lastRing { await device.follow(lastRing) }
        case "vote": try await withDevice { await $0.set(vote: words.first == "-" ? nil : words.first == "1") }
        case "unregister":
            let name = words.first ?? "apus-disk"
            await device?.stop()
            device = nil
            try await connected().unregisterDevice(name)
        case "stale-vote": try await connected().poll(device: words[0], castsVote: true, for: RingID(representative: 1, sequence: 1))
        case "info":
            let limit = Duration.milliseconds(words.count > 1 ? try number(words, 1) as Int : 5_000)
            return describe(try await connected().info(of: CorosyncNodeID(rawValue: try number(words, 0)), within: limit))
        case "set-expected": try await connected().setExpectedVotes(try number(words, 0))
        case "set-votes": try await connected().setVotes(try number(words, 1), of: CorosyncNodeID(rawValue: try number(words, 0)))
        case "map":
            let map: ConfigurationMap.Map = words.dropFirst().first == "statistics" ? .statistics : .configuration
            return ["values": .map(try await self.map.values(prefix: words[0], in: map).mapValues(\.description))]
        case "value": return ["value": .string(try await map.value(words[0]).map { "\($0)" } ?? "none")]
        case "links":
            let others = try words.map { CorosyncNodeID(rawValue: try number([$0], 0)) }
            return [
                "links": .strings(
                    try await control.links(to: others).map { "\($0.node)/\($0.link) \($0.isConnected ? "up" : "down") mtu \($0.mtu)" })
            ]
        case "reload": try await control.reload()
        case "node": return ["node": .number(Int(try await control.localNode().rawValue))]
        case "kill-node": try await control.kill(CorosyncNodeID(rawValue: try number(words, 0)), reason: "a test")
        case "start": return ["state": .string("\(try await process(words).start())")]
        case "stop": try await process(words).stop()
        case "state": return ["state": .string("\(try process(words).state())")]
        default: throw UsageError(description: "no command \(command)")
        }
        return [:]
    }

    private func join(_ words: [String]) async throws -> [String: Report.Value] {
        let limit = Duration.milliseconds(words.count > 1 ? try number(words, 1) as Int : 10_000)
        let limits = words.count > 2 ? EventLimits(count: try number(words, 2)) : EventLimits()
        let group = try await ProcessGroup.join(words.first ?? "apus-test", limits: limits, within: limit)
        self.group = group
        // With limits the reader is a slow one.
        let pause: Duration? = words.count > 2 ? .milliseconds(200) : nil
        let printsMessages = printsMessages
        tasks.append(
            Task {
                var reader = GroupReader(printsMessages: printsMessages, pause: pause)
                await reader.run(group.events)
            })
        return ["member": .string("\(try await group.localMember())")]
    }

    /// Sends messages numbered from 0 as fast as they are taken.
    private func burst(_ words: [String]) async throws -> [String: Report.Value] {
        let count: Int = try number(words, 0)
        let size: Int = words.count > 1 ? try number(words, 1) : 64
        let group = try joined()
        let padding = [UInt8](repeating: UInt8(ascii: "."), count: max(0, size - 16))
        for index in 0..<count { try await group.send(Array("\(index) ".utf8) + padding, within: .seconds(20)) }
        return ["sent": .number(count)]
    }

    /// Hands over messages numbered from 0 without waiting.
    private func post(_ words: [String]) throws -> [String: Report.Value] {
        let count: Int = try number(words, 0)
        let padding = [UInt8](repeating: UInt8(ascii: "."), count: try number(words, 1))
        let group = try joined()
        for index in 0..<count { group.post(Array("\(index) ".utf8) + padding) }
        return ["sent": .number(count)]
    }

    /// Sends all at once, each with a deadline of its own; tells how many were taken and how many found Corosync busy.
    private func storm(_ words: [String]) async throws -> [String: Report.Value] {
        let count: Int = try number(words, 0)
        let size: Int = try number(words, 1)
        let limit: Int = try number(words, 2)
        let group = try joined()
        let message = [UInt8](repeating: 7, count: size)
        let (sent, busy) = try await withThrowingTaskGroup(of: Bool.self) { tasks in
            for _ in 0..<count {
                tasks.addTask {
                    do throws(CorosyncError) {
                        try await group.send(message, within: .milliseconds(limit))
                        return true
                    } catch .busy { return false }
                }
            }
            return try await tasks.reduce((0, 0)) { counts, isSent in isSent ? (counts.0 + 1, counts.1) : (counts.0, counts.1 + 1) }
        }
        return ["sent": .number(sent), "busy": .number(busy)]
    }

    private func connectVotequorum(_ words: [String]) async throws {
        let limit = Duration.milliseconds(words.isEmpty ? 10_000 : try number(words, 0) as Int)
        let votequorum = try await Votequorum.connect(within: limit)
        self.votequorum = votequorum
        tasks.append(
            Task { [weak self] in
                for await event in votequorum.events {
                    await self?.follow(event)
                    report(event)
                }
                Report(["event": .string("quorum-end")]).print()
            })
    }

    private func follow(_ event: VotequorumEvent) async {
        if case .ring(let ring, _) = event {
            lastRing = ring
            await device?.follow(ring)
        }
    }
    private var lastRing: RingID?

    private func process(_ words: [String]) -> CorosyncProcess {
        CorosyncProcess(manager: words.first.flatMap(CorosyncProcess.Manager.init(rawValue:)) ?? .direct)
    }
    private func withDevice(_ body: (ProbeDevice) async -> Void) async throws {
        guard let device else { throw UsageError(description: "no device") }
        if let lastRing { await device.follow(lastRing) }
        await body(device)
    }
    private func joined() throws -> ProcessGroup {
        guard let group else { throw UsageError(description: "not joined") }
        return group
    }
    private func connected() throws -> Votequorum {
        guard let votequorum else { throw UsageError(description: "not connected") }
        return votequorum
    }
    private func number<Integer: FixedWidthInteger>(_ words: [String], _ index: Int) throws -> Integer {
        guard words.indices.contains(index), let value = Integer(words[index]) else { throw UsageError(description: "a number is missing") }
        return value
    }

    private func describe(_ info: VotequorumInfo) -> [String: Report.Value] {
        [
            "node": .number(Int(info.node.rawValue)), "state": .string(info.state.rawValue), "votes": .number(Int(info.votes)),
            "expected": .number(Int(info.expectedVotes)), "highest": .number(Int(info.highestExpectedVotes)),
            "total": .number(Int(info.totalVotes)), "quorum": .number(Int(info.quorum)), "quorate": .bool(info.isQuorate),
            "flags": .number(Int(info.flags.rawValue)), "deviceVotes": .number(Int(info.deviceVotes)), "device": .string(info.deviceName),
        ]
    }
}

func report(_ event: VotequorumEvent) {
    switch event {
    case .ring(let ring, let nodes):
        Report(["event": .string("quorum-ring"), "ring": .string("\(ring)"), "nodes": .numbers(nodes.map { Int($0.rawValue) })]).print()
    case .quorum(let isQuorate, let nodes):
        let members = nodes.filter { $0.state == .member }.map { Int($0.node.rawValue) }
        Report(["event": .string("quorum"), "quorate": .bool(isQuorate), "nodes": .numbers(members)]).print()
    case .expectedVotes(let votes): Report(["event": .string("expected"), "votes": .number(Int(votes))]).print()
    case .lost(let error): Report(["event": .string("quorum-lost"), "error": .string("\(error)")]).print()
    }
}
