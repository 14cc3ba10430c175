/// Reads the small formats in which kernels and tools state settings: one `name` and value a line.
public enum SettingText {
    /// `NAME=value` lines with optional quotes: os-release(5), `timedatectl show`, locale.conf(5). Comments are passed over.
    public static func assignments(_ text: String) -> [String: String] {
        var values: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.trimmed
            guard !line.hasPrefix("#"), let equals = line.firstIndex(of: "="), equals > line.startIndex else { continue }
            var value = line[line.index(after: equals)...]
            for quote in ["\"", "'"] where value.count >= 2 && value.hasPrefix(quote) && value.hasSuffix(quote) {
                value = value.dropFirst().dropLast()
            }
            values[String(line[..<equals])] = String(value)
        }
        return values
    }

    /// Amounts in kB of `/proc/meminfo` and `/sys/devices/system/node/node0/meminfo` (proc(5)), in bytes.
    public static func memory(_ text: String) -> [String: UInt64] {
        var values: [String: UInt64] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":"), let name = line[..<colon].split(separator: " ").last else { continue }
            let words = line[line.index(after: colon)...].split(separator: " ")
            guard words.count == 2, words[1] == "kB", let count = UInt64(words[0]) else { continue }
            let (bytes, overflow) = count.multipliedReportingOverflow(by: 1_024)
            if !overflow { values[String(name)] = bytes }
        }
        return values
    }

    /// The chosen word of `always [madvise] never`.
    public static func chosen(_ text: String) -> String? {
        guard let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]") else { return nil }
        let word = text[text.index(after: open)..<close]
        return word.isEmpty ? nil : String(word)
    }

    /// `/proc/PID/limits` (proc(5)), the soft limits by their names. nil means unlimited.
    public static func limits(_ text: String) -> [String: UInt64?] {
        var values: [String: UInt64?] = [:]
        for line in text.split(separator: "\n").dropFirst() where line.utf8.count > 26 {
            // The name takes the first 26 columns and has spaces itself.
            let name = line.prefix(26).trimmed
            guard let soft = line.dropFirst(26).split(separator: " ").first else { continue }
            if soft == "unlimited" {
                values[String(name)] = .some(nil)
            } else if let number = UInt64(soft) {
                values[String(name)] = number
            }
        }
        return values
    }

    /// `systemctl show` of several units: blocks of assignments between empty lines. Units that do not exist are told without a state.
    public static func units(_ text: String) -> [ServiceFacts] {
        var units: [ServiceFacts] = []
        for block in blocks(text) {
            let values = assignments(block)
            guard let id = values["Id"], !id.isEmpty else { continue }
            let exists = values["LoadState"] != "not-found"
            func known(_ key: String) -> String? { exists ? values[key].flatMap { $0.isEmpty ? nil : $0 } : nil }
            units.append(ServiceFacts(name: id, activeState: known("ActiveState"), enabledState: known("UnitFileState")))
        }
        return units
    }

    private static func blocks(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).reduce(into: [""]) { blocks, line in
            if line.isEmpty { blocks.append("") } else { blocks[blocks.count - 1] += line + "\n" }
        }
    }

    /// `dpkg-query --show --showformat '${Package}\t${Version}\t${db:Status-Status}\n'`.
    ///
    /// - Parameter names: What was asked for; a package that is not in the text is not installed.
    public static func packages(_ text: String, names: [String]) -> [PackageFacts] {
        var versions: [Substring: String] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard fields.count == 3, fields[2] == "installed", !fields[1].isEmpty else { continue }
            versions[fields[0]] = String(fields[1])
        }
        return names.map { PackageFacts(name: $0, version: versions[Substring($0)]) }
    }

    /// `chronyc -c tracking` (chronyc(1), CSV): reference, name, stratum, ..., system time offset in seconds at place 5 from 1.
    public static func chrony(_ text: String) -> (source: String, stratum: Int, offsetMilliseconds: Double)? {
        let fields = text.split(separator: "\n").first?.split(separator: ",", omittingEmptySubsequences: false) ?? []
        guard fields.count >= 5, let stratum = Int(fields[2]), (0...16).contains(stratum), let offset = Double(fields[4]), offset.isFinite
        else { return nil }
        return (String(fields[1].isEmpty ? fields[0] : fields[1]), stratum, offset * 1_000)
    }
}
