import ArgumentParser
import ClusterModel
import Dispatch
import Foundation
import Lab

/// `apus lab ...`: a whole data centre on one machine.
struct LabCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Build and use a data centre of namespaces on this machine: nodes, a SAN, networks and a client.",
        discussion: """
            Needs root.

            EXAMPLES
              apus lab up --nodes 3 --migration-limit 1Gbit
              apus lab exec n1 -- ip address
              apus lab down
            """,
        subcommands: [
            LabUp.self, LabDown.self, LabStatusCommand.self, LabExec.self, LabCut.self, LabRestore.self, LabSplit.self,
            LabJoin.self, LabKill.self, LabPowerOn.self, LabLimit.self, LabPath.self,
        ])
}

/// What every lab command is told.
struct LabOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Which lab: 1 to 6 lower-case letters.", valueName: "prefix"))
    var prefix = Self.usualPrefix
    static let usualPrefix = "lab"

    func open() async throws -> Lab { try await Lab.open(prefix: prefix) }
}

struct LabUp: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Build a lab whose nodes form a cluster, with a witness disk and a volume for machines.",
        discussion: """
            LUN 1 becomes the witness when the number of nodes is even, as with `apus cluster create`; LUN 2 becomes the volume csv1.

            EXAMPLES
              apus lab up --nodes 2                   a running cluster called lab
              apus lab up --nodes 3 --witness disk    a witness for an odd number, too
              apus lab up --nodes 2 --links 2         two networks for Corosync
              apus lab up --nodes 3 --unjoined        leave forming a cluster to you
              apus lab up --nodes 2 --static --migration-limit 1Gbit
            """)

    /// What the nodes are in the end.
    enum Kind: String, EnumerableFlag {
        case cluster, unjoined, `static`, bare

        static func help(for kind: Kind) -> ArgumentHelp? {
            switch kind {
            case .cluster: "Form a cluster called lab of the nodes."
            case .unjoined: "The nodes belong to no cluster, and none is formed."
            case .static: "Each node has a list of all of them instead of a cluster: no Corosync, no quorum."
            case .bare: "Start no node service: the nodes are bare hosts."
            }
        }
    }

    enum WitnessKind: String, ExpressibleByArgument, CaseIterable { case auto, disk, none }

    @OptionGroup var lab: LabOptions
    @Option(help: "1 to 16.") var nodes = 2
    @Option(help: "Networks between the nodes that Corosync uses: 1, or 2 with the network cluster2.") var links = 1
    @Option(help: ArgumentHelp("What a node may send on the migration network, for instance 1Gbit.", valueName: "rate"))
    var migrationLimit: String?
    @Option(name: .customLong("csv-gib"), help: "Size of each of the two disks for Cluster Shared Volumes, in GiB.") var csvGiB = 8
    @Option(help: ArgumentHelp("The node service; without it the one beside this program.", valueName: "path")) var apusd: String?
    @Flag(exclusivity: .exclusive) var kind = Kind.cluster
    @Option(help: "auto: LUN 1 when the number of nodes is even. disk: LUN 1. none.") var witness: WitnessKind?
    @Flag(help: "Print the finished lab as JSON.") var json = false

    func validate() throws {
        if kind != .cluster, witness != nil { throw ValidationError("--witness goes with a cluster, not with --\(kind.rawValue).") }
    }

    func run() async throws {
        let limit = try migrationLimit.flatMap { try parseRate($0, option: "--migration-limit") }
        guard (1...16_384).contains(csvGiB) else { throw ValidationError("--csv-gib must be 1 to 16384.") }
        var disks = LabDisk.standard
        for index in disks.indices where disks[index].product == "CSV" { disks[index].byteCount = UInt64(csvGiB) << 30 }
        var tools = try LabTools.find()
        if let apusd { tools.apusd = URL(fileURLWithPath: apusd).standardizedFileURL.path }
        let description = try LabDescription(prefix: lab.prefix, nodeCount: nodes, migrationLimit: limit, disks: disks, clusterLinks: links)

        let first: LabNodes =
            switch kind {
            case .cluster, .unjoined: .unjoined
            case .static: .fixed
            case .bare: .bare
            }
        let builder = LabBuilder(description, tools: tools, nodes: first)
        let isQuiet = json
        let start = ContinuousClock.now
        let built = try await cancelledByInterrupt {
            try await builder.up { line in
                // Line by line also into a pipe: whoever reads it wants to see how far we are.
                if !isQuiet { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
            }
        }
        if kind == .cluster { try await form(built) { line in if !isQuiet { print(line) } } }
        if json {
            try printAsJSON(try await built.status())
        } else {
            let took = (ContinuousClock.now - start) / Duration.milliseconds(100)
            let which = lab.prefix == LabOptions.usualPrefix ? "" : " --prefix \(lab.prefix)"
            print("Lab \(lab.prefix) is up after \((took).rounded() / 10) s. End it with: apus lab down\(which)")
        }
    }

    private func form(_ lab: Lab, progress: (String) -> Void) async throws {
        let choice: WitnessChoice =
            switch witness ?? .auto {
            case .auto: .auto
            case .disk: .disk(try await lab.diskID(lun: 1))
            case .none: .none
            }
        try await lab.formCluster(witness: choice, progress: progress)
        guard lab.description.disks.count > 1 else { return }
        try await lab.makeVolume()
        progress("LUN 2: volume csv1")
    }
}

struct LabDown: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "End a lab, also one that is broken or half built, and leave nothing of it.",
        discussion: "Example: apus lab down --prefix lab")

    @OptionGroup var lab: LabOptions
    @Flag(help: "Print what was done as JSON.") var json = false

    func run() async throws {
        let wasThere = try await LabBuilder.down(prefix: lab.prefix)
        if json { return try printAsJSON(["wasThere": wasThere]) }
        print(wasThere ? "Lab \(lab.prefix) is gone." : "There was no lab \(lab.prefix).")
    }
}

struct LabStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show what is up in a lab.", discussion: "Example: apus lab status --json")

    @OptionGroup var lab: LabOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let status = try await lab.open().status()
        if json { return try printAsJSON(status) }
        var rows = [["NODE", "POWER", "APUSD", "CLUSTER", "MIGRATION", "CUT", "PROCESSES"]]
        for node in status.nodes {
            rows.append([
                node.name.rawValue, node.isRunning ? "on" : "off", node.serviceAnswers ? "answers" : "silent", node.clusterAddress,
                node.migrationAddress, node.cut.isEmpty ? "-" : node.cut.map(\.rawValue).joined(separator: ","), String(node.processes),
            ])
        }
        printColumns(rows)
        print("")
        rows = [["LUN", "PRODUCT", "SERIAL", "MIB", "FILE"]]
        rows += status.disks.map { [String($0.lun), $0.product, $0.serial, String($0.byteCount >> 20), $0.file] }
        printColumns(rows)
        print(
            "\nSAN \(status.sanIsRunning ? "on" : "OFF")\(status.sanIsCut ? ", CUT OFF," : "") at \(status.sanPortal), \(status.sanTarget)")
        print("Migration network: \(status.migrationLimit.map { "limited to \($0)" } ?? "not limited")")
    }

    private func printColumns(_ rows: [[String]]) {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let line = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: "  ")
            print(line.replacing(/\ +$/, with: ""))
        }
    }
}

struct LabPath: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "path", abstract: "Print the path of a node's API socket, of its log, or of the file behind a disk of the SAN.",
        discussion: """
            EXAMPLES
              apus vm list --socket $(apus lab path n1)
              apus lab path --lun 2
            """)

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ...") var node: String?
    @Flag(help: "The log of apusd instead.") var log = false
    @Option(help: "The file behind this logical unit of the SAN.") var lun: Int?

    func validate() throws {
        guard (node == nil) != (lun == nil) else { throw ValidationError("Name either a node or a disk with --lun.") }
    }

    func run() async throws {
        let lab = try await lab.open()
        if let lun {
            print(try lab.backingFile(lun: lun))
            return
        }
        guard let name = node else { return }
        let node = try lab.node(name)
        print(log ? node.serviceLog : node.apiSocket)
    }
}

/// Runs work that Ctrl-C cancels instead of ending the process, so that it can clean up.
func cancelledByInterrupt<Result: Sendable>(_ work: @escaping @Sendable () async throws -> Result) async throws -> Result {
    let task = Task { try await work() }
    signal(SIGINT, SIG_IGN)
    let interrupts = DispatchSource.makeSignalSource(signal: SIGINT)
    interrupts.setEventHandler { task.cancel() }
    interrupts.activate()
    defer {
        interrupts.cancel()
        signal(SIGINT, SIG_DFL)
    }
    return try await task.value
}

func parseRate(_ text: String, option: String) throws -> BitRate {
    guard let rate = BitRate(text) else { throw ValidationError("\(option): \"\(text)\" is no rate; write it as 1Gbit or 500Mbit.") }
    return rate
}

func printAsJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}
