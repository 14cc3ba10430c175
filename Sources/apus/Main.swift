import ArgumentParser
import Foundation
import NodeClient

@main
enum Main {
    static func main() async {
        // One call, one thread: a pool of them would only cost start-up time.
        NodeClient.useOneThread()
        exit(await run(Array(CommandLine.arguments.dropFirst())))
    }

    /// - Returns: 0 done, 1 refused or failed, 2 wrong command line; a command may say in its help that it means something else by them.
    static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try await Apus.asyncParseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch let failure as CommandFailure {
            if let message = failure.message { Console.complain(message) }
            return failure.exitCode
        } catch {
            return report(error)
        }
    }

    /// Help and version come as errors too, with exit code 0.
    private static func report(_ error: any Error) -> Int32 {
        switch Apus.exitCode(for: error) {
        case .success:
            Console.print(Apus.fullMessage(for: error))
            return 0
        case .validationFailure:
            let text = Apus.fullMessage(for: error)
            Console.complain(text.hasPrefix("Error: ") ? String(text.dropFirst(7)) : text)
            return 2
        default:
            Console.complain(String(describing: error))
            return 1
        }
    }
}

/// A command that did not do what was asked.
struct CommandFailure: Error {
    /// nil when the reason was already printed.
    var message: String?
    var exitCode: Int32 = 1
}
