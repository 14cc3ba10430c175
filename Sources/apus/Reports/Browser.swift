import Foundation

/// The browser of the desktop that the command was started on.
enum Browser {
    /// Opens a page, or says where it is when there is no desktop, as on most servers.
    static func show(_ path: String) throws {
        let absolute = URL(fileURLWithPath: path).path
        guard FileManager.default.isReadableFile(atPath: absolute) else {
            throw CommandFailure(message: "There is no page \(absolute). apus report show --format html makes it again.")
        }
        let environment = ProcessInfo.processInfo.environment
        let hasDesktop = ["DISPLAY", "WAYLAND_DISPLAY"].contains { !(environment[$0] ?? "").isEmpty }
        guard hasDesktop, let opener = program("xdg-open", in: environment) else {
            let sentence = "There is no desktop here. Open this page elsewhere; it is one file and needs nothing else:"
            return Console.print("\(Paragraphs.wrapped(sentence, to: Console.width))\n\(absolute)")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: opener)
        process.arguments = [absolute]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch {
            throw CommandFailure(message: "\(opener) could not be started: \(error.localizedDescription) The page is \(absolute).")
        }
        Console.print("Opened \(absolute)")
    }

    private static func program(_ name: String, in environment: [String: String]) -> String? {
        (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
