import Corosync
import Foundation

// corosync-probe - the Corosync client at work inside a test node's namespaces, for CorosyncTests and by hand.
//
// Corosync's sockets are abstract and so belong to a network namespace: the calls must be made from within it. Takes commands on
// standard input, one a line, and prints events and replies as lines of JSON. Ends at the end of its input.

let session = ProbeSession()
while let line = readLine() {
    let words = line.split(separator: " ").map(String.init)
    guard let command = words.first else { continue }
    do {
        let result = try await session.perform(command, Array(words.dropFirst()))
        Report(["reply": .string(command), "ok": .bool(true)]).adding(result).print()
    } catch {
        Report(["reply": .string(command), "ok": .bool(false), "error": .string("\(error)")]).print()
    }
}
