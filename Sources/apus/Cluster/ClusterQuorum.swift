import ArgumentParser
import ClusterAPI
import ClusterModel
import Foundation
import NodeClient

struct ClusterQuorum: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quorum", abstract: "Who has votes, who holds the witness, what may fail next; and how it is counted.",
        discussion: """
            EXAMPLES
              apus cluster quorum
              apus cluster quorum set --dynamic off
            """,
        subcommands: [Show.self, SetQuorum.self], defaultSubcommand: Show.self)

    struct Show: NodeQuestion {
        static let configuration = CommandConfiguration(
            abstract: "Who has votes, who holds the witness, what may fail next.",
            discussion: """
                A partition of the cluster goes on only with more than half of the votes. The witness breaks a tie.

                EXAMPLE
                  apus cluster quorum
                """)
        @OptionGroup var connection: ConnectionOptions

        func run(asking client: NodeClient) async throws {
            let report = try await client.clusterStatus()
            try show(report) { ClusterText.quorum(report) }
        }
    }

    struct SetQuorum: NodeQuestion {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change how quorum is counted, while the cluster runs.",
            discussion: """
                MODELS
                  auto                          as the number of nodes asks for
                  node-majority                 nodes alone; for an odd number of them
                  node-and-disk-majority        for an even number; a disk breaks the tie
                  node-and-file-share-majority  the same with a folder on a share
                  disk-only                     the witness disk alone; for repairs

                WITNESS
                  auto, none, disk:ID (see `apus disk list`), share:/PATH. It is exchanged while the cluster runs: the new one is \
                initialised, the old one loses its vote, then the new one gets it. Before work on the array, take the witness into \
                maintenance: nobody touches the disk then, and its loss is no alarm.

                EXAMPLES
                  apus cluster quorum set --model auto
                  apus cluster quorum set --witness disk:naa.6001405abcdef
                  apus cluster quorum set --witness-maintenance on
                  apus cluster quorum set --dynamic off --stop-after 120
                """)
        @Option(
            help: ArgumentHelp("auto, or one of the models above.", valueName: "model"),
            completion: .list(["auto"] + QuorumModel.allCases.map(\.rawValue)))
        var model: String?
        @Option(help: ArgumentHelp("Another witness: auto, disk:ID, share:/PATH or none.", valueName: "witness"), transform: parseWitness)
        var witness: WitnessChoice?
        @Flag(help: "With --witness: destroy what the disk or folder carries.") var force = false
        @Option(help: ArgumentHelp("on: the witness does not count, for work on the array. off: it counts again.", valueName: "on|off"))
        var witnessMaintenance: String?
        @Option(help: ArgumentHelp("on: votes follow the nodes that are up. off: every member keeps its vote.", valueName: "on|off"))
        var dynamic: String?
        @Option(help: ArgumentHelp("How long machines stay paused without quorum before they are stopped.", valueName: "seconds"))
        var stopAfter: Int?
        @Flag(help: "Do not ask.") var yes = false
        @OptionGroup var connection: ConnectionOptions

        func validate() throws {
            let settings: [Any?] = [model, dynamic, stopAfter, witnessMaintenance]
            guard witness != nil || settings.contains(where: { $0 != nil }) else {
                throw ValidationError("Say what to change: --model, --witness, --witness-maintenance, --dynamic or --stop-after.")
            }
            if witness != nil, settings.contains(where: { $0 != nil }) {
                throw ValidationError("Change the witness alone, then the rest: exchanging it takes several steps.")
            }
            if force, witness == nil { throw ValidationError("--force goes with --witness.") }
            if let model, model != "auto", QuorumModel(rawValue: model) == nil {
                throw ValidationError(
                    "\"\(model)\" is no model. Use auto, \(QuorumModel.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            for (option, value) in [("--dynamic", dynamic), ("--witness-maintenance", witnessMaintenance)] {
                if let value, value != "on", value != "off" { throw ValidationError("\(option) takes on or off, not \"\(value)\".") }
            }
        }

        func run(asking client: NodeClient) async throws {
            if let witness {
                return try await follow(try await client.setWitness(SetWitnessRequest(witness: witness, force: force)), asking: client)
            }
            if model == QuorumModel.diskOnly.rawValue, !yes {
                Console.complain(
                    "Disk Only: the cluster stops when the witness disk does, however many nodes are up, and one node is enough to run it.")
                guard Console.confirm("Let the witness disk alone decide?") else { throw CommandFailure(message: "Nothing was changed.") }
            }
            let request = SetQuorumRequest(
                model: model.flatMap(QuorumModel.init), isModelAutomatic: model.map { $0 == "auto" }, isDynamic: dynamic.map { $0 == "on" },
                secondsUntilStop: stopAfter, isWitnessInMaintenance: witnessMaintenance.map { $0 == "on" })
            let report = try await client.setQuorum(request)
            try show(report) { ClusterText.quorum(report) }
        }
    }
}

struct StartCluster: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Make this partition go on although it has no majority.",
        discussion: """
            For the case that the other nodes will not come back soon. The nodes that this one sees become the majority. MAKE SURE THAT \
            THE OTHERS RUN NOTHING: power them off, or they and this side may write to the same disks. What they changed in the \
            configuration and this side has not heard of is lost; when they return, they give way. The history records who forced it and why.

            EXAMPLE
              apus cluster start --force-quorum --reason "n2 and n3 burnt" --yes
            """)
    @Flag(help: "Required: there is no other way to start a cluster without a majority.") var forceQuorum = false
    @Option(help: "Why; for the history.") var reason: String
    @Flag(help: "Do not ask.") var yes = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard forceQuorum else {
            throw ValidationError(
                "A cluster starts by itself as soon as a majority of its votes is there. To go on without: --force-quorum.")
        }
    }

    func run(asking client: NodeClient) async throws {
        let before = try await client.clusterStatus()
        guard !before.isOpen else { throw CommandFailure(message: "This partition has quorum; nothing has to be forced.") }
        Console.complain(Self.warning(before))
        if !yes {
            // A script that forgot about it must not do this by accident.
            guard Console.canAsk else {
                throw CommandFailure(message: "Nothing was changed. Where nobody can be asked, confirm with --yes.")
            }
            guard Console.confirm("Go on without them?") else { throw CommandFailure(message: "Nothing was changed.") }
        }
        let report = try await client.forceQuorum(ForceQuorumRequest(reason: reason))
        try show(report) { ClusterText.quorum(report) }
    }

    /// What is about to happen, with names.
    static func warning(_ report: ClusterStatusReport) -> String {
        let missing = report.nodes.filter { !$0.isPresent }.map(\.name.rawValue).joined(separator: ", ")
        var lines = [
            "Quorum is about to be forced as \(report.node) sees the cluster: \(report.votesPresent) of \(report.votesTotal) votes here, "
                + "\(report.votesNeeded) needed.",
            "Absent: \(missing.isEmpty ? "no node" : missing). They must not run anything while you do this, and until they have joined again: "
                + "power them off, or two sides may write to the same disks.",
        ]
        if let witness = report.witness {
            let holder = witness.holder.map { "also from \($0), which held it last" } ?? "from whoever holds it"
            lines.append(
                witness.problem.map { "The \(witness.description) cannot be used from here, so the configuration may be old: \($0)" }
                    ?? "The \(witness.description) is taken over if it answers, \(holder).")
        }
        lines.append("Changes of the configuration that only the others have are lost; they drop them when they return, and say so.")
        return lines.joined(separator: "\n")
    }
}

/// The cluster in words.
enum ClusterText {
    static func status(_ report: ClusterStatusReport) -> String {
        [
            Table.list([
                ("Cluster", report.cluster), ("State", report.isOpen ? "running" : "no quorum, as \(report.node) sees it"),
                ("Votes", votes(report)), ("Outlook", report.tolerance), ("Changes", report.configuration),
            ]), "", nodes(report),
        ].joined(separator: "\n") + warnings(report)
    }

    static func quorum(_ report: ClusterStatusReport) -> String {
        var pairs: [(String, String?)] = [
            ("Model", "\(report.model)" + (report.isModelAutomatic ? ", as the number of nodes asks for" : ", chosen by the operator")),
            ("Dynamic", report.isDynamic ? "on: votes follow the nodes that are up" : "off"), ("Votes", votes(report)),
            ("Outlook", report.tolerance),
        ]
        if let witness = report.witness {
            let holder = witness.holder.map { "held by \($0)" } ?? "held by nobody"
            pairs.append(
                (
                    "Witness",
                    "\(witness.description), \(witness.condition.rawValue), \(witness.votes == 1 ? "1 vote" : "\(witness.votes) votes"), \(holder)"
                ))
            pairs.append(("", witness.problem))
        }
        pairs.append(("Without", "machines are paused at once and stopped after \(report.secondsUntilStop) s"))
        return Table.list(pairs) + "\n\n" + nodes(report) + warnings(report)
    }

    private static func votes(_ report: ClusterStatusReport) -> String {
        "\(report.votesPresent) of \(report.votesTotal) present, \(report.votesNeeded) needed"
    }

    private static func nodes(_ report: ClusterStatusReport) -> String {
        var table = Table(">ID", "NODE", "STATE", "SEEN", ">VOTES", ">MACHINES", "ROLE")
        for node in report.nodes {
            let roles = [node.isCoordinator ? "coordinator" : nil, report.witness?.holder == node.name ? "holds the witness" : nil]
            table.add(
                "\(node.id)", node.name.rawValue, node.state.rawValue, node.isPresent ? "yes" : "no", String(node.votes),
                String(node.machines), roles.compactMap { $0 }.joined(separator: ", "))
        }
        return table.text(none: "The cluster has no nodes.")
    }

    private static func warnings(_ report: ClusterStatusReport) -> String {
        report.warnings.isEmpty ? "" : "\n\n" + report.warnings.map { "Warning: \($0)" }.joined(separator: "\n")
    }
}
