import Corosync

/// Prints a group's events, with the number of messages so far and a hash of their order: equal at two members when they saw the same.
struct GroupReader {
    var printsMessages: Bool
    /// After each event, to be a reader that is too slow.
    var pause: Duration?
    private var messageCount = 0
    private var order: UInt64 = 0xcbf2_9ce4_8422_2325

    init(printsMessages: Bool, pause: Duration?) {
        self.printsMessages = printsMessages
        self.pause = pause
    }

    mutating func run(_ events: CorosyncEvents<ProcessGroupEvent>) async {
        for await event in events {
            if let pause { try? await Task.sleep(for: pause) }
            report(event)
        }
        Report(["event": .string("group-end"), "count": .number(messageCount), "order": .string(String(order, radix: 16))]).print()
    }

    private mutating func report(_ event: ProcessGroupEvent) {
        let position: [String: Report.Value] = ["count": .number(messageCount), "order": .string(String(order, radix: 16))]
        switch event {
        case .message(let sender, let bytes):
            messageCount += 1
            // FNV-1a over sender and content.
            for byte in Array("\(sender)".utf8) + bytes { order = (order ^ UInt64(byte)) &* 0x100_0000_01b3 }
            guard printsMessages else { return }
            Report([
                "event": .string("message"), "from": .number(Int(sender.node.rawValue)), "bytes": .number(bytes.count),
                "text": .string(String(decoding: bytes.prefix(64), as: UTF8.self)),
            ]).print()
        case .membership(let members, let left, let joined):
            Report([
                "event": .string("membership"), "members": .numbers(members.map { Int($0.node.rawValue) }),
                "left": .strings(left.map { "\($0.member.node) \($0.reason)" }),
                "joined": .strings(joined.map { "\($0.member.node) \($0.reason)" }),
            ]).adding(position).print()
        case .ring(let ring, let nodes):
            Report(["event": .string("ring"), "ring": .string("\(ring)"), "nodes": .numbers(nodes.map { Int($0.rawValue) })])
                .adding(position).print()
        case .lost(let error): Report(["event": .string("lost"), "error": .string("\(error)")]).adding(position).print()
        }
    }
}
