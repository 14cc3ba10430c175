/// A part of a corosync.conf: `name { key: value ... }`, in order (corosync.conf(5)).
struct ConfigurationSection: Hashable {
    struct Entry: Hashable {
        var key: String
        var value: String
        var line: Int
    }
    struct Problem: Error, Hashable {
        var line: Int
        var text: String
    }

    var name: String
    var line: Int
    var entries: [Entry] = []
    var sections: [ConfigurationSection] = []

    /// No file that Corosync accepts is larger or deeper.
    static let maximumByteCount = 1 << 20
    static let maximumDepth = 8

    /// Reads any corosync.conf; the result is the unnamed section around all others.
    static func parse(_ text: String) throws(Problem) -> ConfigurationSection {
        guard text.utf8.count <= maximumByteCount else { throw Problem(line: 1, text: "The file is larger than 1 MiB.") }
        var open = [ConfigurationSection(name: "", line: 0)]
        var number = 0
        for raw in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            let line = raw.trimmingSpaces
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard line.utf8.allSatisfy({ $0 >= 0x20 || $0 == 0x09 }) else {
                throw Problem(line: number, text: "There is a control character.")
            }
            if line == "}" {
                let done = open.removeLast()
                guard let last = open.indices.last else { throw Problem(line: number, text: "A section ends that did not begin.") }
                open[last].sections.append(done)
            } else if line.hasSuffix("{") {
                guard open.count <= maximumDepth else { throw Problem(line: number, text: "Sections are nested too deeply.") }
                open.append(ConfigurationSection(name: String(line.dropLast().trimmingSpaces), line: number))
            } else if let colon = line.firstIndex(of: ":") {
                let key = line[..<colon].trimmingSpaces
                let value = line[line.index(after: colon)...].trimmingSpaces
                open[open.count - 1].entries.append(Entry(key: String(key), value: String(value), line: number))
            } else {
                throw Problem(line: number, text: "This is neither \"key: value\" nor a section.")
            }
        }
        guard open.count == 1 else { throw Problem(line: open[open.count - 1].line, text: "This section does not end.") }
        return open[0]
    }

    func section(_ name: String) -> ConfigurationSection? { sections.first { $0.name == name } }
    func all(_ name: String) -> [ConfigurationSection] { sections.filter { $0.name == name } }
    /// The last one counts, as it does for Corosync.
    func value(_ key: String) -> String? { entries.last { $0.key == key }?.value }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" }
        var rest = drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return rest
    }
}
