import ArgumentParser
import ClusterModel

/// The root of the command line.
struct Apus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "Runs virtual machines on a cluster of hosts that share a SAN, and moves them between hosts.",
        discussion: """
            A node is a host of the cluster. Machines keep their disks on Cluster Shared Volumes, which all nodes see, so any \
            node can run them. Ask any node: it passes on what another has to do.

            EXAMPLES
              apus validate                        test the nodes, their networks and disks
              apus node list                       the nodes and what they have to offer
              apus vm create web.yaml              make a machine from a definition
              apus vm start web                    run it
              apus vm migrate web --to n2          move it while it runs
              apus vm migrate web --to n2 --plan   first see what that would cost

            EXIT CODES
              0  done
              1  refused or failed; the reason is on standard error
              2  the command line is wrong
            """,
        version: "apus \(ApusVersion.current)",
        subcommands: [
            VMCommand.self,
            MigrationCommand.self,
            ValidateCommand.self,
            ClusterCommand.self,
            NodeCommand.self,
            EventsCommand.self,
            DiskCommand.self,
            ReportCommand.self,
            LabCommand.self,
            CompletionCommand.self,
            VersionCommand.self,
        ])
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version of this command.",
        discussion: """
            EXAMPLE
              apus version
            """)
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        if json {
            try Console.print(json: ["version": ApusVersion.current])
        } else {
            Console.print("apus \(ApusVersion.current)")
        }
    }
}

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a script that completes apus commands in a shell.",
        discussion: """
            Names of machines, nodes and disks are completed too, where the node service answers.

            EXAMPLES
              apus completion bash > /etc/bash_completion.d/apus
              apus completion zsh > /usr/share/zsh/vendor-completions/_apus
              apus completion fish > /etc/fish/completions/apus.fish
            """)
    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }
    @Argument(help: "bash, zsh or fish.") var shell: Shell

    func run() {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        Console.print(Apus.completionScript(for: kind))
    }
}
