/// Reads `/proc/cpuinfo` (proc(5)) as x86 kernels write it.
public enum ProcessorText {
    /// More is no answer of a kernel; the rest is not read.
    private static let mostProcessors = 8_192

    /// Everything in it but the architecture. Unknown lines are passed over, so a text that is none gives facts without content.
    public static func facts(_ text: String) -> ProcessorFacts {
        var facts = ProcessorFacts()
        var sockets: Set<Substring> = []
        var cores: Set<String> = []
        var threads = 0
        for block in blocks(text).prefix(mostProcessors) {
            guard block["processor"] != nil else { continue }
            threads += 1
            let socket = block["physical id"] ?? "0"
            sockets.insert(socket)
            cores.insert("\(socket)/\(block["core id"] ?? Substring(String(threads)))")
            guard threads == 1 else { continue }
            facts.vendor = block["vendor_id"].map(String.init)
            facts.model = block["model name"].map { $0.split(separator: " ").joined(separator: " ") }
            facts.family = block["cpu family"].flatMap { Int($0) }
            facts.modelNumber = block["model"].flatMap { Int($0) }
            facts.stepping = block["stepping"].flatMap { Int($0) }
            facts.microcode = block["microcode"].map(String.init)
            facts.features = (block["flags"] ?? "").split(separator: " ").map(String.init).sorted()
        }
        guard threads > 0 else { return facts }
        facts.threads = threads
        facts.sockets = sockets.count
        facts.cores = cores.count
        return facts
    }

    private static func blocks(_ text: String) -> [[Substring: Substring]] {
        var blocks: [[Substring: Substring]] = [[:]]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            guard let colon = line.firstIndex(of: ":") else {
                if let last = blocks.last, !last.isEmpty { blocks.append([:]) }
                continue
            }
            blocks[blocks.count - 1][line[..<colon].trimmed] = line[line.index(after: colon)...].trimmed
        }
        return blocks
    }
}

extension Substring {
    var trimmed: Substring {
        var text = self
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return text
    }
}
