import ArgumentParser
import ClusterModel
import Foundation
import Lab

struct LabExec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a program on a node, on the SAN or on the client, with this terminal.",
        discussion: """
            It is part of the node and ends with it. Processes of other nodes can be seen, and signalled, so take care with pkill.
            Example: apus lab exec client -- ping -c 1 10.77.1.10
            """)

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ..., san, client or switches.") var member: String
    @Argument(parsing: .postTerminator, help: "The program and its arguments, after --.") var command: [String]

    func validate() throws {
        if command.isEmpty { throw ValidationError("Name a program after --, for instance: apus lab exec n1 -- ip address") }
    }

    func run() async throws {
        let member = try await lab.open().member(self.member)
        let words = try member.entering(command)
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        // Become the program, so that its terminal, signals and exit code are its own. Returns only when that fails.
        execvp(words[0], &pointers)
        throw LabError.command(words: command, output: String(cString: strerror(errno)))
    }
}

struct LabCut: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cut", abstract: "Pull the plug of a node, or of the SAN, in one network.",
        discussion: """
            EXAMPLES
              apus lab cut n1 storage
              apus lab cut san storage
            """)

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ... or san.") var node: String
    @Argument(help: "cluster, cluster2, storage, migration or machine.") var network: LabNetwork
    @Flag(help: "Keep the node's link up, but pass nothing, as a dead switch does.") var silent = false

    func validate() throws { try checkPlug(of: node, in: network) }

    func run() async throws {
        let lab = try await lab.open()
        if node == "san" {
            try await lab.cutSAN(isSilent: silent)
        } else {
            try await lab.node(node).cut(network, isSilent: silent)
        }
        print("\(node) is cut from the \(network.rawValue) network.")
    }
}

struct LabRestore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Plug a node, or the SAN, in again.", discussion: "Example: apus lab restore n1 storage")

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ... or san.") var node: String
    @Argument(help: "cluster, cluster2, storage, migration or machine.") var network: LabNetwork

    func validate() throws { try checkPlug(of: node, in: network) }

    func run() async throws {
        let lab = try await lab.open()
        if node == "san" {
            try await lab.restoreSAN()
        } else {
            try await lab.node(node).restore(network)
        }
        print("\(node) is back on the \(network.rawValue) network.")
    }
}

private func checkPlug(of member: String, in network: LabNetwork) throws {
    guard member != "san" || network == .storage else { throw ValidationError("The SAN has a plug in the storage network only.") }
}

struct LabSplit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "split", abstract: "Split a network into parts that do not reach each other.",
        discussion: "Example: apus lab split cluster n1,n2 n3,n4      and later: apus lab join cluster")

    @OptionGroup var lab: LabOptions
    @Argument(help: "cluster, cluster2, storage, migration or machine.") var network: LabNetwork
    @Argument(help: "The nodes of each part; nodes that are not named keep company with the first.", transform: parseNodeNames)
    var parts: [[NodeName]]

    func run() async throws {
        try await lab.open().split(network, into: parts)
        print("The \(network.rawValue) network is in \(parts.count) parts.")
    }
}

struct LabJoin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Make a network that was split one again.", discussion: "Example: apus lab join cluster")

    @OptionGroup var lab: LabOptions
    @Argument(help: "cluster, cluster2, storage, migration or machine.") var network: LabNetwork

    func run() async throws {
        try await lab.open().join(network)
        print("The \(network.rawValue) network is one again.")
    }
}

struct LabKill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill", abstract: "Power a node off without warning, or end or stop one program on it.",
        discussion: """
            EXAMPLES
              apus lab kill n1
              apus lab kill n1 --program corosync
              apus lab kill n1 --program apusd --signal STOP      and later: --signal CONT
              apus lab kill san          its service; later: apus lab power-on san
            """)

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ... or san.") var node: String
    @Option(help: ArgumentHelp("Only this program, for instance corosync or apusd.", valueName: "name")) var program: String?
    @Option(
        help: ArgumentHelp("With --program: what it gets instead of KILL, for instance STOP, CONT or TERM.", valueName: "signal"),
        transform: parseSignal)
    var signal: Int32?

    func validate() throws {
        if signal != nil, program == nil { throw ValidationError("--signal goes with --program.") }
        if node == "san", program != nil { throw ValidationError("The SAN has one program only; leave --program out.") }
    }

    func run() async throws {
        let lab = try await lab.open()
        if node == "san" {
            try await lab.stopSAN()
            print("The SAN's service has ended.")
            return
        }
        let node = try lab.node(self.node)
        guard let program else {
            try await node.powerOff()
            print("\(node.name) is off.")
            return
        }
        let count = node.signal(signal ?? SIGKILL, processesNamed: program)
        guard count > 0 else { throw LabError.refused("No process on \(node.name) is called \"\(program)\".") }
        print("\(program) on \(node.name) got the signal\(count > 1 ? " (\(count) processes)" : "").")
    }
}

struct LabPowerOn: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "power-on", abstract: "Boot a node that was powered off.", discussion: "Example: apus lab power-on n1")

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ... or san.") var node: String
    @Flag(help: "Do not wait until apusd answers.") var noWait = false

    func run() async throws {
        let lab = try await lab.open()
        if node == "san" {
            try await lab.startSAN()
            print("The SAN is on.")
            return
        }
        let node = try lab.node(self.node)
        try await node.powerOn()
        if lab.startsService && !noWait { try await node.waitForService() }
        print("\(node.name) is on.")
    }
}

struct LabLimit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limit", abstract: "Limit what each node sends on the migration network.", discussion: "Example: apus lab limit 1Gbit")

    @OptionGroup var lab: LabOptions
    @Argument(help: "A rate such as 1Gbit or 500Mbit, or none.") var rate: String

    func validate() throws { _ = try limit() }

    private func limit() throws -> BitRate? { rate == "none" ? nil : try parseRate(rate, option: "limit") }

    func run() async throws {
        let limit = try limit()
        try await lab.open().limit(to: limit)
        print("Migration network: \(limit.map { "limited to \($0)" } ?? "not limited")")
    }
}

extension LabNetwork: ExpressibleByArgument {}

/// `STOP`, `SIGSTOP` or `19`.
func parseSignal(_ text: String) throws -> Int32 {
    let known: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ABRT": SIGABRT, "KILL": SIGKILL, "USR1": SIGUSR1, "USR2": SIGUSR2,
        "TERM": SIGTERM, "CONT": SIGCONT, "STOP": SIGSTOP,
    ]
    let upper = text.uppercased()
    if let signal = known[upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper] { return signal }
    guard let number = Int32(text), (1...64).contains(number) else {
        throw ValidationError("\"\(text)\" is no signal; write a number or one of \(known.keys.sorted().joined(separator: ", ")).")
    }
    return number
}
