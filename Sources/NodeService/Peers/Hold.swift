import Foundation

/// Stops a migration at a phase while a file of that name exists, so that a fault can be tried out exactly there.
///
/// For drills and tests: `touch /run/apus/hold/pre-switchover` holds the next migration of this node in that phase until the file is
/// gone, at most ``limit``. Nothing is held unless an administrator makes the file.
package struct Hold: Sendable {
    static let limit = Duration.seconds(60)
    let folder: String

    package init(runtimeFolder: String) { folder = runtimeFolder + "/hold" }

    func wait(at phase: String) async {
        let file = folder + "/" + phase
        guard access(file, F_OK) == 0 else { return }
        let end = ContinuousClock.now + Self.limit
        while access(file, F_OK) == 0, ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}
