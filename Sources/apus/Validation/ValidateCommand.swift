import ArgumentParser
import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Validation

/// `apus validate`: tests nodes before they become a cluster, and a cluster at any time after.
struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Test nodes, networks and disks with what a cluster will ask of them.",
        discussion: """
            Asked at a node that belongs to no cluster, it tests that node and those whose one-time words (`apus node token`) are given; \
            the words are not used up. Asked at a member of a cluster, it tests all members, or the named ones, and nodes that are to be \
            added if their words are given. On a terminal it walks \
            through its pages and asks; with --yes, or without a terminal, it runs straight from what is given here.

            TESTS are `all`, a category (inventory, network, storage, system, hypervisor, cluster) or a test as in network/latency; \
            several with commas. --list shows them. No test writes to a disk unless --disk names it or --all-empty-disks is given, and then only \
            to a scratch area that is put back at the end, and only if every node sees the disk, nobody uses it, and it carries nothing but \
            an Apus volume without machines.

            EXAMPLES
              apus validate
              apus validate --token $(ssh n2 apus node token) --yes
              apus validate --token $(ssh n2 apus node token) --all-empty-disks --yes
              apus validate n1 n2 --tests network,system --skip network/throughput
              apus validate --list

            EXIT CODES
              0  suitable, also with warnings
              1  not suitable
              2  could not run, or was ended early
            """)

    @Argument(help: ArgumentHelp("Only these nodes.", valueName: "node"), transform: parseNodeName) var nodes: [NodeName] = []
    @Option(
        name: .customLong("token"),
        help: ArgumentHelp("What `apus node token` printed on a node that belongs to no cluster; once for each.", valueName: "word"))
    var tokens: [String] = []
    @Option(help: ArgumentHelp("Only these tests.", valueName: "tests"), transform: Self.parseTests) var tests: [[String]] = []
    @Option(help: ArgumentHelp("All but these tests.", valueName: "tests"), transform: Self.parseTests) var skip: [[String]] = []
    @Option(
        name: .customLong("disk"),
        help: ArgumentHelp("A shared disk that tests may write to, if it is empty or ours and not in use. Several times.", valueName: "id"))
    var disks: [String] = []
    @Flag(help: "Tests may write to every shared disk that carries nothing.") var allEmptyDisks = false
    @Option(name: .customLong("share"), help: ArgumentHelp("A file share by its mount point, the same on all nodes.", valueName: "path"))
    var shares: [String] = []
    @Flag(help: "Ask nothing.") var yes = false
    @Flag(help: "List the tests and end.") var list = false
    @Option(help: ArgumentHelp("The nodes of this lab, see `apus lab`.", valueName: "prefix")) var lab: String?
    @OptionGroup var connection: ConnectionOptions

    static func parseTests(_ text: String) throws -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    func validate() throws {
        do { _ = try TestSelection(tests.flatMap { $0 }, excluding: skip.flatMap { $0 }) } catch {
            throw ArgumentParser.ValidationError(error.description)
        }
        if lab != nil, connection.node != nil || connection.socket != nil {
            throw ArgumentParser.ValidationError("--lab says which nodes are asked; leave out --node and --socket.")
        }
    }

    func run() async throws {
        if list {
            if connection.json { return try Console.print(json: ValidationText.catalogueEntries) }
            return Console.print(ValidationText.catalogue())
        }
        do { try await validateNodes() } catch let error as APIError {
            throw CommandFailure(message: (error.node.map { "\($0): " } ?? "") + error.message, exitCode: 2)
        } catch let failure as CommandFailure {
            throw CommandFailure(message: failure.message, exitCode: failure.exitCode == 1 && failure.message != nil ? 2 : failure.exitCode)
        }
    }

    /// The lab that is named, or that stands in for a node of this host.
    private func labTargets() async throws -> LabTargets? {
        if let lab { return try LabTargets(of: try await Lab.open(prefix: lab)) }
        guard connection.node == nil, connection.socket == nil else { return nil }
        let home = await HomeNode.find()
        guard case .lab(let lab, _) = home else { return nil }
        home.announce()
        return try LabTargets(of: lab)
    }

    private func validateNodes() async throws {
        var request = StartValidationRequest(
            nodes: nodes, tokens: tokens, tests: tests.flatMap { $0 }, skip: skip.flatMap { $0 }, disks: disks.map { DiskID($0) },
            allEmptyDisks: allEmptyDisks ? true : nil, shares: shares)
        let client: NodeClient
        if let targets = try await labTargets() {
            client = targets.client
            request.tokens += try await targets.tokens()
        } else {
            client = try await connection.client()
        }
        let offer = try await client.validationOffer()
        let isAsking = !yes && !connection.json && isatty(STDIN_FILENO) == 1 && Console.isWatched
        if isAsking {
            guard let wanted = try ValidationWizard(prompt: .terminal, offer: offer).order(from: request) else {
                throw CommandFailure(message: "Nothing was tested.", exitCode: 2)
            }
            request = wanted
        } else if !connection.json {
            for sentence in WrittenDisks(request, offer).sentences { Console.progress(sentence + "\n") }
        }
        let first = try await client.startValidation(request)
        let display: any ValidationDisplay =
            if connection.json { SilentValidation() } else if Console.isWatched { WatchedValidation() } else { LoggedValidation() }
        let status = try await ValidationFollower(client: client, display: display).follow(first)
        let run = try? await client.validationReport(status.id)
        if connection.json {
            if let run { try Console.print(json: run) } else { try Console.print(json: status) }
        } else {
            let place = offer.cluster == nil ? "on \(offer.node)" : "on every member; on \(offer.node)"
            let summary = ValidationText.summary(status, run, report: status.report.map { "The report is kept \(place): \($0)" })
            Console.print(isatty(STDOUT_FILENO) == 1 ? Paragraphs.wrapped(summary, to: Console.width) : summary)
            if isAsking, let run { ValidationWizard(prompt: .terminal, offer: offer).view(run, page: status.report) }
        }
        switch status.verdict {
        case .pass, .warning: return
        case .failure: throw CommandFailure(message: nil, exitCode: 1)
        case .cancelled, .notApplicable, nil: throw CommandFailure(message: status.verdict == nil ? status.problem : nil, exitCode: 2)
        }
    }
}
