import ArgumentParser
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
        commandName: "cut", abstract: "Pull a node's plug in one network.", discussion: "Example: apus lab cut n1 storage")

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ...") var node: String
    @Argument(help: "cluster, storage, migration or machine.") var network: LabNetwork
    @Flag(help: "Keep the node's link up, but pass nothing, as a dead switch does.") var silent = false

    func run() async throws {
        try await lab.open().node(node).cut(network, isSilent: silent)
        print("\(node) is cut from the \(network.rawValue) network.")
    }
}

struct LabRestore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Plug a node in again.", discussion: "Example: apus lab restore n1 storage")

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ...") var node: String
    @Argument(help: "cluster, storage, migration or machine.") var network: LabNetwork

    func run() async throws {
        try await lab.open().node(node).restore(network)
        print("\(node) is back on the \(network.rawValue) network.")
    }
}

struct LabKill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill", abstract: "Power a node off without warning.", discussion: "Example: apus lab kill n1")

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ...") var node: String

    func run() async throws {
        try await lab.open().node(node).powerOff()
        print("\(node) is off.")
    }
}

struct LabPowerOn: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "power-on", abstract: "Boot a node that was powered off.", discussion: "Example: apus lab power-on n1")

    @OptionGroup var lab: LabOptions
    @Argument(help: "n1, n2, ...") var node: String
    @Flag(help: "Do not wait until apusd answers.") var noWait = false

    func run() async throws {
        let lab = try await lab.open()
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

    func run() async throws {
        let limit = rate == "none" ? nil : try parseRate(rate, option: "limit")
        try await lab.open().limit(to: limit)
        print("Migration network: \(limit.map { "limited to \($0)" } ?? "not limited")")
    }
}

extension LabNetwork: ExpressibleByArgument {}
