import ClusterAPI
import ClusterModel
import Foundation
import Testing
import Validation

@testable import apus

@Suite("Validating before a change, and ending a validation")
struct ValidationCommandTests {
    private static let create = ["cluster", "create", "prod", "--nodes", "n1,n2", "--token", "apus1abc"]
    private static let add = ["node", "add", "apus1abc"]

    private static func ended(_ verdict: Verdict?) -> ValidationStatus {
        var status = Samples.validation
        status.verdict = verdict
        status.sentence = verdict == .failure ? "Not suitable: n2 does not see LUN 4" : "Suitable"
        return status
    }

    private static func order(_ command: [String], _ validation: PriorValidation) -> any Hashable & Sendable {
        command == create
            ? CreateClusterRequest(
                name: Samples.prod, nodes: [Samples.n1, Samples.n2], tokens: ["apus1abc"], witness: .auto, force: false,
                validation: validation)
                as any Hashable & Sendable : AddNodeRequest(token: "apus1abc", validation: validation)
    }

    /// What is asked before the change: all tests, of these nodes, unless that was done within a day.
    private static func question(_ command: [String]) -> StartValidationRequest {
        StartValidationRequest(
            nodes: command == create ? [Samples.n1, Samples.n2] : [], tokens: ["apus1abc"], unlessWithinSeconds: 86_400)
    }

    @Test(
        "What a verdict, and what the operator says to it, does to a change", arguments: [create, add],
        [
            (Verdict.pass, [], true), (.warning, [], true), (.notApplicable, [], true), (.failure, [], false), (.cancelled, [], false),
            (nil, [], false), (.failure, ["--ignore-failures"], true), (.cancelled, ["--ignore-failures"], false),
        ] as [(Verdict?, [String], Bool)])
    func verdicts(command: [String], answer: (Verdict?, [String], Bool)) async throws {
        let (verdict, options, goesOn) = answer
        try await RunningServer.with { server in
            await server.node.validate(with: Self.ended(verdict))
            let run = await CommandRun.apus(command + options, socket: server.socketPath)
            #expect((run.status == 0) == goesOn, "\(run)")
            // The run that it was decided on goes into the history, also when its failures were passed over.
            let change = goesOn ? [Self.order(command, PriorValidation(run: Samples.id))] : []
            #expect(await server.node.received([Self.question(command)] + change + (goesOn ? [Samples.id] : [])), "\(run)")
            if !goesOn { #expect(run.errors.contains("nothing was changed"), "\(run.errors)") }
            if verdict == .failure, !goesOn {
                #expect(run.errors.contains("n2 does not see LUN 4") && run.errors.contains("--ignore-failures"))
            }
        }
    }

    @Test("Without a validation the change says so, and the node is not asked for one", arguments: [create, add])
    func skipped(command: [String]) async throws {
        try await RunningServer.with { server in
            let run = await CommandRun.apus(command + ["--skip-validation"], socket: server.socketPath)
            #expect(run.status == 0, "\(run)")
            #expect(await server.node.received([Self.order(command, .skipped), Samples.id]))
            let both = await CommandRun.apus(command + ["--skip-validation", "--ignore-failures"], socket: server.socketPath)
            #expect(both.status == 64 || both.status == 2, "\(both)")
            #expect(await server.node.asked.count(where: { $0.hasPrefix("createCluster") || $0.hasPrefix("addNode") }) == 1)
        }
    }

    @Test(
        "On a terminal the operator is asked, and anything but yes is no",
        arguments: [("y\n", true), ("yes\n", true), ("\n", false), ("n\n", false), ("what?\n", false), ("\u{04}", false)])
    func question(typed: String, goesOn: Bool) async throws {
        try await RunningServer.with { server in
            await server.node.validate(with: Self.ended(.failure))
            let run = await TerminalRun.apus(Self.create, socket: server.socketPath, [.init("Go on all the same? [y/N]", typed)])
            #expect(run.done == 1 && (run.status == 0) == goesOn, "\(run)")
            #expect(await server.node.asked.contains { $0.hasPrefix("createCluster") } == goesOn, "\(run)")
        }
    }

    // MARK: Ctrl-C

    @Test("Ctrl-C ends the validation and waits for its end") func interrupted() async throws {
        try await RunningServer.with { server in
            await server.node.holdValidations(.endsWhenCancelled)
            let run = await CommandRun.apus(
                ["validate", "--yes"], socket: server.socketPath, interruptAfter: Self.begun)
            #expect(run.status == 2, "\(run)")
            #expect(run.errors.contains("Ending the validation"), "\(run)")
            #expect(await server.node.asked.contains { $0.hasPrefix("cancelValidation") })
        }
    }

    @Test("A second Ctrl-C leaves at once, and the node has been told") func interruptedTwice() async throws {
        try await RunningServer.with { server in
            await server.node.holdValidations(.goesOn)
            let run = await CommandRun.apus(
                ["validate", "--yes"], socket: server.socketPath, interruptAfter: Self.begun, "Ending the validation")
            #expect(run.status == 2, "\(run)")
            #expect(run.errors.contains("Left the validation to its node"), "\(run)")
            #expect(await server.node.asked.contains { $0.hasPrefix("cancelValidation") })
        }
    }

    /// Stands on standard error as soon as the validation is followed.
    private static let begun = "1 of the chosen tests cannot be carried out"

    // MARK: Pages

    /// All pages, as they are passed with what is recommended; nothing is longer than the terminal is wide.
    private static let pages: [TerminalRun.Step] = [
        .init("- Before You Begin", ""), .init("ends:", "\n"), .init("- Select Servers", ""), .init("ends:", "\n"),
        .init("- Testing Options", ""), .init("[1]:", "\n"), .init("- Select Disks", ""), .init("[1]:", "\n"),
        .init("- Confirmation", ""), .init("ends:", "\n"),
    ]

    @Test("The pages, from the first to the report", arguments: [60, 80, 200] as [UInt16]) func wizard(columns: UInt16) async throws {
        try await RunningServer.with { server in
            var offer = Samples.validationOffer
            offer.tests = ValidationCatalogue.tests.map(\.id)
            await server.node.offer(offer)
            let end: [TerminalRun.Step] = [
                .init("- View Report", ""), .init("Enter ends:", "x\n"), .init("Enter ends:", "t\n"),
                .init("n2 runs 6.1, n1 runs 6.2.", ""),
                .init("Enter ends:", "p\n"), .init("validation-", ""), .init("Enter ends:", "\n"),
            ]
            let run = await TerminalRun.apus(["validate"], socket: server.socketPath, columns: columns, Self.pages + end)
            #expect(run.status == 0 && run.done == Self.pages.count + end.count, "\(run)")
            let order = StartValidationRequest(allEmptyDisks: true)
            #expect(await server.node.received([order, Samples.id, Samples.id]), "\(run)")
            let long = run.text.split(separator: "\n").map { $0.split(separator: "\r").last ?? "" }
                .filter { $0.count > Int(columns) && $0.contains(" ") && !$0.contains("\u{1B}") && !$0.contains("inventory/kernel") }
            #expect(long.isEmpty, "\(long)")
        }
    }

    @Test("Each page can be left, and then nothing is tested", arguments: 0..<5, ["q\n", "\u{04}"]) func left(
        page: Int, typed: String
    ) async throws {
        try await RunningServer.with { server in
            var offer = Samples.validationOffer
            offer.tests = ValidationCatalogue.tests.map(\.id)
            await server.node.offer(offer)
            var steps = Array(Self.pages.prefix(2 * page + 2))
            steps[2 * page + 1].typed = typed
            let run = await TerminalRun.apus(["validate"], socket: server.socketPath, steps)
            #expect(run.status == 2 && run.done == steps.count && run.text.contains("Nothing was tested."), "\(run)")
            #expect(await server.node.asked == ["validationOffer()"])
        }
    }

    @Test("What is typed by mistake begins nothing") func nonsense() async throws {
        try await RunningServer.with { server in
            let junk = "\u{1B}[2J\u{202E}%n../../etc\u{0}" + String(repeating: "A", count: 2_000) + "\n"
            let run = await TerminalRun.apus(
                ["validate"], socket: server.socketPath,
                [
                    .init("ends:", junk), .init("ends:", "\n"), .init("ends:", junk), .init("ends:", "\n"), .init("[1]:", "9\n"),
                    .init("[1]:", "2\n"), .init("takes all:", junk), .init("takes all:", "q\n"),
                ])
            #expect(run.status == 2 && run.done == 8, "\(run)")
            #expect(await server.node.asked == ["validationOffer()"])
        }
    }
}

@Suite("The pages of a validation")
struct WizardTests {
    /// Answers in turn; a page that asks for more than there are gets none.
    private func walk(
        _ answers: [String], _ given: StartValidationRequest = StartValidationRequest(), cluster: ClusterName? = nil
    ) throws -> (order: StartValidationRequest?, pages: [String], left: Int) {
        var offer = Samples.validationOffer
        offer.cluster = cluster
        offer.tests = ValidationCatalogue.tests.map(\.id)
        var (rest, pages) = (answers[...], [String]())
        let prompt = Prompt(
            say: { text in
                guard let title = text.split(separator: "\n").first(where: { $0.hasPrefix("Validate a Configuration - ") }) else { return }
                pages.append(String(title.dropFirst(27)))
            }, ask: { _ in rest.popFirst() })
        return (try ValidationWizard(prompt: prompt, offer: offer).order(from: given), pages, rest.count)
    }

    @Test("One can go back, and what was answered there is asked anew") func back() throws {
        // To Select Disks with two nodes; back, only the network's tests, for which there is no such page; back again, all tests.
        let walk = try walk([
            "", "apus1aaa", "apus1bbb", "", "", "b", "2", "network", "b", "b", "apus1ccc", "", "1", "2", "LUN 1", "",
        ])
        #expect(
            walk.pages == [
                "Before You Begin", "Select Servers", "Testing Options", "Select Disks", "Testing Options", "Confirmation",
                "Testing Options",
                "Select Servers", "Testing Options", "Select Disks", "Confirmation",
            ])
        #expect(walk.order == StartValidationRequest(tokens: ["apus1ccc"], disks: [Samples.diskStatus.id]) && walk.left == 0, "\(walk)")
    }

    @Test("There is no page before the first, and the end of the answers is an end") func ends() throws {
        #expect(try walk(["b", "b", "q"]).pages == ["Before You Begin", "Before You Begin", "Before You Begin"])
        for count in 0..<5 { #expect(try walk(Array(repeating: "", count: count)).order == nil) }
        #expect(try walk(Array(repeating: "", count: 5), cluster: Samples.prod).order != nil)
    }

    @Test("Pages ask only for what the command line leaves open") func given() throws {
        let given = StartValidationRequest(nodes: [Samples.n1], tests: ["network", "storage"], disks: [Samples.diskStatus.id])
        let walk = try walk(["", "", "", ""], given, cluster: Samples.prod)
        #expect(walk.order == given && walk.pages == ["Before You Begin", "Select Servers", "Testing Options", "Confirmation"])
    }

    @Test(
        "Long lines are broken between words, below their own text",
        arguments: [
            ("short", "short"), ("", ""), ("\n\n", "\n\n"),
            ("aaaa bbbb cccc dddd eeee ffff", "aaaa bbbb cccc dddd\neeee ffff"),
            ("  - aaaa bbbb cccc dddd eeee", "  - aaaa bbbb cccc\n    dddd eeee"),
            ("1  aaaa bbbb cccc dddd eeee", "1  aaaa bbbb cccc\n   dddd eeee"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb"),
            (String(repeating: " ", count: 30) + "a b", String(repeating: " ", count: 30) + "a\n          b"),
        ])
    func wrapping(text: String, expected: String) { #expect(Paragraphs.wrapped(text, to: 20) == expected) }
}
