import Foundation
import Testing
import VMDefinitions

/// Goal: no text makes the parser trap, loop or swell; each is refused with a short message within moments.
@Suite("Hostile definitions")
struct HostileDefinitionTests {
    static let texts: [(String, String)] = {
        let bomb = (0..<20).map { "a\($0): &a\($0) [\($0 == 0 ? "x" : "*a\($0 - 1), *a\($0 - 1)")]" }.joined(separator: "\n")
        let keyBomb = (0..<11).map { "k\($0): &a\($0) [\($0 == 0 ? "x" : "*a\($0 - 1), *a\($0 - 1)")]" }.joined(separator: "\n")
        return [
            ("nothing", ""), ("blank", " \n\n# only a comment\n"), ("null", "~"), ("a number", "42"), ("a list", "- name: a"),
            ("NUL bytes", "name: a\0b\nmemory: 1 GiB"), ("control characters", "name: \u{7}\u{1b}[2J\nmemory: 1 GiB"),
            ("a lone quote", "name: \"a"), ("a tab as indentation", "name: a\n\tmemory: 1 GiB"), ("two documents", "name: a\n---\nname: b"),
            ("a key twice", "name: a\nname: b\nmemory: 1 GiB"),
            ("a nested key twice", "name: a\nmemory: 1 GiB\ndisks: [{name: a, name: b}]"),
            ("an undefined alias", "name: *a\nmemory: 1 GiB"), ("an alias", "name: &a a\nmemory: 1 GiB\ncpu: *a"),
            ("a self-referring anchor", "name: a\nmemory: &m [*m]"), ("an alias bomb", bomb),
            ("aliases as keys", keyBomb + "\n? *a10\n: 1\n"),
            ("a merge key", "<<: {name: a}\nmemory: 1 GiB"),
            ("groups as keys", "? {a: b}\n: c\nname: a"), ("deep lists", "name: " + String(repeating: "[", count: 30_000)),
            ("deep closed lists", "name: " + String(repeating: "[", count: 900) + String(repeating: "]", count: 900)),
            ("deep groups", String(repeating: "{a: ", count: 15_000)), ("deep hyphens", String(repeating: "- ", count: 30_000)),
            ("deep keys", String(repeating: "? ", count: 990) + "a"), ("10 MB", String(repeating: "name: a\n", count: 1_250_000)),
            ("one long name", "memory: 1 GiB\nname: " + String(repeating: "x", count: 60_000)),
            ("many unknown fields", (0..<6_000).map { "f\($0): 1" }.joined(separator: "\n")),
            ("many broken disks", "name: a\nmemory: 1 GiB\ndisks: [" + String(repeating: "1,", count: 20_000) + "]"),
            ("huge numbers", "name: a\nmemory: 1e999\nvcpus: 0x7fffffffffffffffffff\ndisks: [{name: a, size: 18446744073709551616 TiB}]"),
            ("other digits", "name: a\nmemory: ٣ GiB\nvcpus: ٤"), ("a sexagesimal MAC", "name: a\nmemory: 1 GiB\nnetworks: [{mac: 1:2:3}]"),
            ("a byte order mark in the middle", "name: a\n\u{feff}memory: 1 GiB\nx: 1"), ("a directive", "%YAML 9.9\n---\nname: a"),
        ]
    }()

    @Test("is refused briefly and soon", .timeLimit(.minutes(1)), arguments: texts.indices)
    func refused(index: Int) throws {
        let (what, text) = Self.texts[index]
        let clock = ContinuousClock()
        let start = clock.now
        let error = #expect(throws: DefinitionErrors.self, "\(what) was accepted") { try VMDefinitionFile.parse(text, fileName: "m.yaml") }
        // Generous: an unoptimised build on a busy machine. What this must catch takes minutes or for ever.
        #expect(clock.now - start < .seconds(5), "\(what) took \(clock.now - start)")
        let message = try #require(error).description
        #expect(!message.isEmpty)
        #expect(message.utf8.count < 32_768, "\(what) gave \(message.utf8.count) bytes")
        #expect(message.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control }, "\(what): \(message)")
        #expect(message.split(separator: "\n").allSatisfy { $0.hasPrefix("m.yaml:") }, "\(what): \(message)")
    }

    @Test("Cutting a good definition anywhere never traps")
    func truncated() {
        let text = """
            {"name": "web1", "memory": "2 GiB", "firmware": {"kernel": "/k", "commandLine": "a \\u0041 b"},
             "disks": [{"name": "system", "size": "1 GiB"}], "networks": [{"name": "lan", "bridge": "br0"}]}
            """
        let complete = text.count
        for length in 0..<complete {
            #expect(throws: DefinitionErrors.self) { try VMDefinitionFile.parse(String(text.prefix(length)), fileName: "m.json") }
        }
        #expect(throws: Never.self) { try VMDefinitionFile.parse(text, fileName: "m.json") }
    }
}
