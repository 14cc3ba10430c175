import ClusterModel

/// Shows how far a migration is, on standard error.
protocol ProgressDisplay: Sendable {
    mutating func show(_ status: MigrationStatus)
    /// A sentence that stays.
    mutating func say(_ sentence: String)
    /// Nothing more will come.
    mutating func finish()
}

/// With `--json`, or when nobody asked.
struct SilentProgress: ProgressDisplay {
    func show(_ status: MigrationStatus) {}
    func say(_ sentence: String) { Console.complain(sentence) }
    func finish() {}
}

/// One line of a terminal that is written over again and again.
struct ProgressBar: ProgressDisplay {
    private var lastNote: String?

    mutating func show(_ status: MigrationStatus) {
        if let note = status.progress.note, note != lastNote {
            lastNote = note
            say(note)
        }
        Console.progress("\r" + Self.line(status, width: Console.width - 1) + "\u{1B}[K")
    }
    mutating func say(_ sentence: String) { Console.progress("\r\u{1B}[K\(sentence)\n") }
    mutating func finish() { Console.progress("\r\u{1B}[K") }

    static func line(_ status: MigrationStatus, width: Int) -> String {
        let head = "\(status.order.vm) \(status.source) > \(status.order.destination) "
        let words = MigrationText.line(status.progress)
        guard let fraction = MigrationText.fraction(status.progress) else { return String((head + words).prefix(width)) }
        let cells = 20
        let full = Int((fraction * Double(cells)).rounded(.down))
        let percent = String(Int((fraction * 100).rounded(.down)))
        let bar = "[" + String(repeating: "#", count: full) + String(repeating: "-", count: cells - full) + "] "
        return String("\(head)\(bar)\(String(repeating: " ", count: 3 - percent.count))\(percent) %  \(words)".prefix(width))
    }
}

/// Lines for a log: one whenever something other than the numbers changed.
struct ProgressLines: ProgressDisplay {
    private var last: (phase: MigrationPhase, pass: Int, note: String?)?

    mutating func show(_ status: MigrationStatus) {
        let progress = status.progress
        let now = (phase: progress.phase, pass: progress.pass, note: progress.note)
        guard last.map({ $0 != now }) ?? true, !progress.phase.isFinal else { return }
        if let note = progress.note, note != last?.note { say(note) }
        last = now
        Console.progress("\(Units.milliseconds(progress.elapsedMilliseconds)): \(MigrationText.line(progress))\n")
    }
    mutating func say(_ sentence: String) { Console.progress(sentence + "\n") }
    mutating func finish() {}
}
