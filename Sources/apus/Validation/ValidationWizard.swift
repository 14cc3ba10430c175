import ClusterAPI
import ClusterModel
import Foundation
import Validation
import ValidationReport

/// How pages are shown and answered.
struct Prompt {
    var say: (String) -> Void
    /// nil when there is nobody to answer any more.
    var ask: (String) -> String?

    static var terminal: Prompt {
        // What nodes and disks are called comes from elsewhere, and must not move the cursor.
        let shown = { (text: String) in Paragraphs.wrapped(visibleText(text), to: Console.width) }
        return Prompt(
            say: { Console.progress(shown($0) + "\n") },
            ask: { question in
                Console.progress(shown(question) + " ")
                return readLine()?.trimmingCharacters(in: .whitespaces)
            })
    }
}

/// The pages of `apus validate` on a terminal: Before You Begin, Select Servers, Testing Options, Select Disks, Confirmation, and View Report
/// at the end. From each of them one can go back to the one before, where the answers are given anew, or end.
struct ValidationWizard {
    let prompt: Prompt
    let offer: ValidationOffer

    /// The pages before the tests, in order.
    private enum Page: Int, CaseIterable { case beforeYouBegin, selectServers, testingOptions, selectDisks, confirmation }

    /// How a page was left.
    private enum Turn {
        case on, back, end

        /// What the words that are the same on every page mean; nil for an answer to the page's own question.
        init?(_ answer: String?) {
            switch answer?.lowercased() {
            case nil, "q", "quit", "n", "no": self = .end
            case "b", "back": self = .back
            default: return nil
            }
        }
    }

    /// Walks through the pages.
    ///
    /// - Parameter given: What stood on the command line; pages ask only for what it leaves open.
    /// - Returns: nil when the operator does not want to go on.
    func order(from given: StartValidationRequest) throws -> StartValidationRequest? {
        // The pages on the way here, each with the order as it was when it was turned to.
        var way: [(page: Page, order: StartValidationRequest)] = [(.beforeYouBegin, given)]
        while let (page, entered) = way.last {
            var order = entered
            switch try turn(page, &order) {
            case .end: return nil
            case .back: if way.count > 1 { way.removeLast() } else { prompt.say("This is the first page.") }
            case .on:
                let following = try Page.allCases.first { try $0.rawValue > page.rawValue && ($0 != .selectDisks || asksForDisks(order)) }
                guard let following else { return order }
                way.append((following, order))
            }
        }
        return nil
    }

    private func turn(_ page: Page, _ order: inout StartValidationRequest) throws -> Turn {
        switch page {
        case .beforeYouBegin: beforeYouBegin()
        case .selectServers: selectServers(&order)
        case .testingOptions: selectTests(&order)
        case .selectDisks: selectDisks(&order)
        case .confirmation: try confirm(order)
        }
    }

    private func title(_ page: String) {
        let name = "Validate a Configuration - \(page)"
        prompt.say("\n\(name)\n\(String(repeating: "=", count: name.count))")
    }

    /// A page that asks for nothing but to be left.
    private func leaving(_ question: String = "Enter goes on, b goes back, q ends:") -> Turn {
        while true {
            let answer = prompt.ask(question)
            if let turn = Turn(answer) { return turn }
            // Whoever writes something means something; it must not begin the tests.
            if ["", "y", "yes"].contains(answer?.lowercased()) { return .on }
        }
    }

    // MARK: Before You Begin

    private func beforeYouBegin() -> Turn {
        title("Before You Begin")
        prompt.say(
            """
            The validation tests whether these nodes can carry a cluster: what they are made of, how they reach each other, what their \
            disks obey, and how their systems are set up. It takes about a minute.

            - Most tests only read; those that do more are listed before they begin.
            - Nothing is written to a disk that you have not chosen.
            - Ctrl-C ends it at any time and takes back what tests left on the nodes.

            """)
        return leaving("Enter goes on, q ends:")
    }

    // MARK: Select Servers

    private func selectServers(_ request: inout StartValidationRequest) -> Turn {
        title("Select Servers")
        if let cluster = offer.cluster {
            let names = request.nodes.isEmpty ? offer.nodes : request.nodes
            let more =
                request.tokens.isEmpty ? "" : ", and \(request.tokens.count) that \(request.tokens.count == 1 ? "is" : "are") to be added"
            prompt.say("Nodes of cluster \(cluster): \(names.map(\.rawValue).joined(separator: ", "))\(more).")
            return leaving()
        }
        let given =
            switch request.tokens.count {
            case 0: ""
            case 1: " One more was given by its word."
            case let count: " \(count) more were given by their words."
            }
        prompt.say("\(offer.node), the node that is asked, belongs to no cluster.\(given)")
        prompt.say("For each further node: run `apus node token` there and enter the word it prints. An empty line goes on, b goes back.")
        while true {
            let answer = prompt.ask("Word of node \(request.tokens.count + 2):")
            if let turn = Turn(answer) { return turn }
            guard let word = answer, !word.isEmpty else { break }
            guard word.lowercased().hasPrefix("apus1"), !word.contains(where: \.isWhitespace) else {
                prompt.say("This is no word of a node; it begins with apus1.")
                continue
            }
            if request.tokens.contains(word) { prompt.say("This word was given already.") } else { request.tokens.append(word) }
        }
        if request.tokens.isEmpty { prompt.say("Only \(offer.node) is tested; tests that compare or connect nodes do not apply.") }
        return .on
    }

    // MARK: Testing Options

    private func selectTests(_ request: inout StartValidationRequest) -> Turn {
        title("Testing Options")
        guard request.tests.isEmpty, request.skip.isEmpty else {
            prompt.say(
                "Tests: \(request.tests.isEmpty ? "all" : request.tests.joined(separator: ", "))"
                    + (request.skip.isEmpty ? "." : ", without \(request.skip.joined(separator: ", "))."))
            return leaving()
        }
        prompt.say("1  Run all tests (recommended)\n2  Run only tests that I select")
        var isChosen = false
        while !isChosen {
            let choice = prompt.ask("[1]:")
            if let turn = Turn(choice) { return turn }
            switch choice {
            case "", "1": return .on
            case "2": isChosen = true
            default: prompt.say("Enter 1 or 2; b goes back, q ends.")
            }
        }
        for category in ValidationCategory.allCases {
            let tests = offered.filter { $0.category == category }
            guard !tests.isEmpty else { continue }
            prompt.say("\n\(category.rawValue): \(category.purpose)")
            for test in tests { prompt.say("  \(test.id)  \(test.title)") }
        }
        while true {
            let answer = prompt.ask("\nCategories and tests, with commas; an empty line takes all:")
            if let turn = Turn(answer) { return turn }
            let terms = Self.words(answer)
            do {
                _ = try TestSelection(terms)
                request.tests = terms
                return .on
            } catch { prompt.say(error.description) }
        }
    }

    private var offered: [ValidationTest] {
        let known = Set(offer.tests)
        return ValidationCatalogue.tests.filter { known.contains($0.id) }
    }

    private static func words(_ answer: String?) -> [String] {
        (answer ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    // MARK: Select Disks

    /// Only when tests were chosen that write to disks, and nothing was said about them yet.
    private func asksForDisks(_ request: StartValidationRequest) throws -> Bool {
        let tests = try TestSelection(request.tests, excluding: request.skip).tests
        return tests.contains { offer.tests.contains($0.id) && $0.needs.contains(.testableDisk) } && request.disks.isEmpty
            && request.allEmptyDisks == nil
    }

    private func selectDisks(_ request: inout StartValidationRequest) -> Turn {
        title("Select Disks")
        let empty = offer.disks.filter { $0.content == .empty }.map { "LUN \($0.lun)" }
        let names = empty.isEmpty ? "there is none" : empty.joined(separator: ", ")
        guard !offer.disks.isEmpty else {
            prompt.say("\(offer.node) sees no shared disks. \(offer.diskProblem ?? "Tests of disks do not apply.")")
            return leaving()
        }
        prompt.say("Some tests write to a disk, \(ScratchArea.place), and put back what was there. Shared disks:")
        for disk in offer.disks { prompt.say("  - \(WrittenDisks.name(disk)), \(disk.content.sentence)") }
        prompt.say(
            """
            1  Every disk that carries nothing (recommended): \(names)
            2  Only disks that I name
            3  None; the tests that need a disk do not apply
            """)
        while true {
            let choice = prompt.ask("[1]:")
            if let turn = Turn(choice) { return turn }
            switch choice {
            case "", "1":
                request.allEmptyDisks = true
                return .on
            case "2": break
            case "3": return .on
            default:
                prompt.say("Enter 1, 2 or 3; b goes back, q ends.")
                continue
            }
            let answer = prompt.ask("Their LUNs or identities, with commas:")
            if let turn = Turn(answer) { return turn }
            let words = Self.words(answer)
            guard !words.isEmpty else { continue }
            let named = words.map { word in
                offer.disks.first { $0.id.rawValue == word || "\($0.lun)" == word || "LUN \($0.lun)" == word.uppercased() }
            }
            if let unknown = zip(words, named).first(where: { $0.1 == nil })?.0 {
                prompt.say("\(offer.node) sees no shared disk \(unknown).")
                continue
            }
            request.disks = named.compactMap { $0?.id }
            return .on
        }
    }

    // MARK: Confirmation

    private func confirm(_ request: StartValidationRequest) throws -> Turn {
        title("Confirmation")
        let chosen = try TestSelection(request.tests, excluding: request.skip).tests
        let known = Set(offer.tests)
        let tests = chosen.filter { known.contains($0.id) }
        let counts = ValidationCategory.allCases.compactMap { category -> String? in
            let count = tests.count { $0.category == category }
            return count == 0 ? nil : "\(category.title) \(count)"
        }
        let nodes = (request.nodes.isEmpty ? offer.nodes : request.nodes).map(\.rawValue).joined(separator: ", ")
        let more =
            request.tokens.isEmpty ? "" : " and \(request.tokens.count) more, by \(request.tokens.count == 1 ? "its word" : "their words")"
        prompt.say("Nodes: \(nodes)\(more).")
        prompt.say("\(tests.count) tests: \(counts.joined(separator: ", ")).")
        let missing = chosen.filter { !known.contains($0.id) }.map(\.id)
        if !missing.isEmpty { prompt.say(ValidationText.unavailable(missing)) }
        let disturbing = Disturbance.allNoticed.filter { kind in tests.contains { $0.disturbance == kind } }
        if disturbing.isEmpty {
            prompt.say("All of them only read; nothing notices them.")
        } else {
            prompt.say("What others may notice:")
            for kind in disturbing { prompt.say("  - \(kind.sentence)") }
        }
        for sentence in WrittenDisks(request, offer).sentences { prompt.say(sentence) }
        return leaving("\nEnter begins the tests, b goes back, q ends:")
    }

    // MARK: View Report

    /// The last page.
    ///
    /// - Parameters:
    ///   - page: Where the page is on the node that carried the validation out.
    ///   - open: Opens a page in the browser, or says where it is.
    func view(_ run: ValidationRun, page: String?, open: (String) throws -> Void = Browser.show) {
        title("View Report")
        while let answer = prompt.ask("p opens the page, t shows the text here, Enter ends:")?.lowercased() {
            switch answer {
            case "p", "page", "y", "yes":
                do { try open(try Self.localPage(of: run, page)) } catch { prompt.say(Self.sentence(of: error)) }
            case "t", "text": Console.print(Paragraphs.wrapped(visibleText(ValidationText.whole(run)), to: Console.width))
            case "", "q", "quit", "n", "no": return
            default: prompt.say("Enter p, t or nothing.")
            }
        }
    }

    /// The page itself where the node's files are this host's, else a copy, which says the same.
    static func localPage(
        of run: ValidationRun, _ page: String?, in folder: String = FileManager.default.temporaryDirectory.path
    ) throws -> String {
        if let page, FileManager.default.isReadableFile(atPath: page) { return page }
        // Only its owner may read it, and nobody may have put a link in its place: the name is that of a folder made here and now.
        let own = folder + "/apus-report-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: own, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        let path = own + "/validation-\(run.id.uuidString.lowercased().prefix(8)).html"
        try Data(HTMLReport.text(of: run).utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    private static func sentence(of error: any Error) -> String {
        (error as? CommandFailure)?.message ?? "The page cannot be shown: \(error.localizedDescription)"
    }
}

extension Disturbance {
    /// Those that somebody notices, in the order of the catalogue's words.
    static var allNoticed: [Disturbance] { [.networkLoad, .diskLoad, .scratch, .sessionLoss, .guest] }
}
