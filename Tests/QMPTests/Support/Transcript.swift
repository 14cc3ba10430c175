import Foundation
import Synchronization

/// A recorded conversation with a real QEMU. See `Transcripts/README.md` for the form.
struct Transcript: Sendable {
    enum Step: Sendable {
        case fromQEMU(String)
        case toQEMU(String)
    }
    let steps: [Step]

    init(_ name: String) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Transcripts/\(name).txt")
        steps = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            switch line.prefix(3) {
            case "<- ": .fromQEMU(String(line.dropFirst(3)))
            case "-> ": .toQEMU(String(line.dropFirst(3)))
            default: throw FakeMonitor.Broken(what: "no transcript line: \(line)")
            }
        }
    }

    /// Plays QEMU's part, and compares each command of the client, arguments included, with the recorded one.
    ///
    /// - Parameter differences: Receives what differed; the connection ends there.
    func play(to peer: FakeMonitor.Peer, differences: Differences) throws {
        var ids: [String: String] = [:]
        for step in steps {
            switch step {
            case .toQEMU(let recorded):
                let expected = try FakeMonitor.Command(Array(recorded.utf8))
                let actual = try peer.command()
                guard actual.hasSameMeaning(as: expected) else {
                    differences.add("expected \(expected), got \(actual)")
                    return
                }
                ids[expected.id] = actual.id
            case .fromQEMU(var line):
                for (recorded, actual) in ids {
                    line = line.replacingOccurrences(of: #""id": "\#(recorded)""#, with: #""id": "\#(actual)""#)
                }
                try peer.line(line)
            }
        }
    }

    final class Differences: Sendable {
        private let found = Mutex<[String]>([])
        var all: [String] { found.withLock { $0 } }
        func add(_ text: String) { found.withLock { $0.append(text) } }
    }
}
