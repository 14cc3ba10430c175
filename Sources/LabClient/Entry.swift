import ArgumentParser

/// The other end of the lab's guests: what a network peer of a machine sees, and what its disk proves afterwards.
@main
struct Entry: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-lab-client",
        abstract: "Measures from outside what happens to a machine of the lab.",
        discussion: """
            Every command prints one JSON object when it ends: after --seconds, or when it gets SIGTERM or SIGINT.
            Example: apus lab exec client -- apus-lab-client echo 10.77.1.10 --seconds 20
            """,
        subcommands: [
            EchoCommand.self, UDPCommand.self, FramesCommand.self, StreamCommand.self, SinkCommand.self, JournalCommand.self,
            RelayCommand.self,
        ]
    )
}
