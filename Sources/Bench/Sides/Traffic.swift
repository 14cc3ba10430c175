import Foundation
import Lab

/// The client's probes while a machine moves: a TCP question 2 ms after every answer, and a datagram every 2 ms.
struct Traffic: Sendable {
    private let echo: RunningCommand
    private let datagrams: RunningCommand

    init(from lab: Lab) throws {
        echo = try lab.client.start([lab.tools.client, "echo", GuestShape.address], seconds: 180)
        datagrams = try lab.client.start([lab.tools.client, "udp", GuestShape.address], seconds: 180)
    }

    func end() async throws -> (gapMilliseconds: Double, lostDatagrams: Double) {
        echo.terminate()
        datagrams.terminate()
        let (tcp, udp) = (try await echo.result(), try await datagrams.result())
        let answers: Echo = try decode(tcp, "apus-lab-client echo")
        let counts: Datagrams = try decode(udp, "apus-lab-client udp")
        guard answers.errors == 0 else {
            throw BenchError("The connection to the guest broke \(answers.errors) times: \(answers.lastError ?? "no reason given")")
        }
        guard answers.answers > 100, counts.answered > 100 else {
            throw BenchError("The guest answered only \(answers.answers) questions and \(counts.answered) datagrams.")
        }
        return (answers.gapMaxMs, Double(counts.lost))
    }

    private struct Echo: Decodable {
        var answers: Int
        var errors: Int
        var lastError: String?
        var gapMaxMs: Double
    }
    private struct Datagrams: Decodable {
        var answered: Int
        var lost: Int
    }
}

/// Reads what a program printed as JSON.
func decode<Value: Decodable>(_ result: CommandResult, _ program: String) throws -> Value {
    guard result.isSuccess else { throw BenchError("\(program) failed with code \(result.code): \(result.errors)\(result.output)") }
    do { return try JSONDecoder().decode(Value.self, from: Data(result.output.utf8)) } catch {
        throw BenchError("\(program) printed something else than expected: \(result.output.prefix(300)) (\(error))")
    }
}
