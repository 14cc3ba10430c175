import ArgumentParser
import ClusterAPI
import ClusterModel
import Foundation
import NodeClient

struct EventsCommand: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "What happened in the cluster, in one order for all nodes.",
        discussion: """
            Each event has a number that is the same on every node. With --follow, goes on printing until it is interrupted.

            EXAMPLES
              apus events
              apus events --follow
              apus events --note "Switch 2 is being replaced"
              apus events --json | jq -r '.[] | select(.severity == "error") | .sentence'
            """)
    @Flag(name: .shortAndLong, help: "Go on as events happen.") var follow = false
    @Option(help: ArgumentHelp("Only those after this number.", valueName: "number")) var after: UInt64 = 0
    @Option(help: ArgumentHelp("Write a line of your own into the history, for whoever reads it later.", valueName: "text"))
    var note: String?
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if note != nil, follow || after > 0 { throw ValidationError("--note only writes; it does not go with --follow or --after.") }
    }

    func run(asking client: NodeClient) async throws {
        if let note {
            let request = NoteEventRequest(sentence: note)
            try await client.noteEvent(request)
            return try show(request) { "It is in the history. See: apus events" }
        }
        guard follow else {
            let events = try await client.events(after: after)
            let names = connection.json ? [:] : try await self.names(client)
            return try show(events) { Self.text(events, names, after: after) }
        }
        let names = try await self.names(client)
        for try await event in try await client.followEvents(after: after) {
            if connection.json { try Console.print(json: event) } else { Console.print(Self.line(event, names)) }
        }
    }

    private func names(_ client: NodeClient) async throws -> [NodeID: NodeName] {
        Dictionary(try await client.clusterStatus().nodes.map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first })
    }

    static func text(_ events: [ClusterEvent], _ names: [NodeID: NodeName], after: UInt64 = 0) -> String {
        var table = Table(">ID", "TIME", "SEVERITY", "NODE", "EVENT")
        for event in events {
            table.add(
                String(event.id), time(event), event.severity.rawValue, event.node.map { names[$0]?.rawValue ?? "\($0)" }, words(event))
        }
        return table.text(none: after == 0 ? "Nothing has happened yet." : "Nothing has happened after event \(after).")
    }

    static func line(_ event: ClusterEvent, _ names: [NodeID: NodeName]) -> String {
        "\(event.id)  \(time(event))  \(event.severity.rawValue)  \(event.node.map { names[$0]?.rawValue ?? "\($0)" } ?? "-")  \(words(event))"
    }

    private static func words(_ event: ClusterEvent) -> String {
        event.cause.map { "\(event.sentence) Cause: \($0)" } ?? event.sentence
    }

    private static func time(_ event: ClusterEvent) -> String {
        Date(timeIntervalSince1970: Double(event.time.rawValue) / 1_000).formatted(.iso8601)
    }
}
