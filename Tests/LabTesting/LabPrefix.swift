import Foundation
import Lab

/// The lab of a test run is named after its process, so that runs do not meet.
///
/// The lab itself says which process it is for (``LabDescription/owner``): by that, and not by its name, a later run finds what a killed
/// one left. A name of six letters may well be somebody's own.
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

    public func takeDownOrphans() async throws { try await LabBuilder.takeDownOrphans() }
}
