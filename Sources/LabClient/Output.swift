import FoundationEssentials
import Glibc

/// Prints a result as one line of JSON.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
    // Programs read this through a pipe, and may end us right after.
    fflush(nil)
}
