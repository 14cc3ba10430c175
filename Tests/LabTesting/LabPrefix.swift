import Foundation
import Lab

/// The lab of a test run is named after its process, so that runs do not meet, and a later run finds what a killed one left.
public struct LabPrefix: Sendable {
    private let letter: Character

    /// - Parameter letter: Tells the labs of one test target from those of another.
    public init(letter: Character) { self.letter = letter }

    public var own: String {
        // Five letters hold every process number that Linux gives (at most 4,194,304, proc(5), pid_max).
        var rest = Int(getpid())
        var letters = ""
        for _ in 0..<5 {
            letters = String(UnicodeScalar(UInt8(ascii: "a") + UInt8(rest % 26))) + letters
            rest /= 26
        }
        return String(letter) + letters
    }

    public func takeDownOrphans() async throws {
        for prefix in LabBuilder.prefixes() {
            guard let process = process(of: prefix), kill(process, 0) != 0, errno == ESRCH else { continue }
            try await LabBuilder.down(prefix: prefix)
        }
    }

    private func process(of prefix: String) -> pid_t? {
        guard prefix.utf8.count == 6, prefix.first == letter else { return nil }
        return prefix.utf8.dropFirst().reduce(0) { $0 * 26 + pid_t($1 - UInt8(ascii: "a")) }
    }
}
