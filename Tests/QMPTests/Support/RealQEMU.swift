import Foundation
import Glibc
import QMP
import Testing

/// A QEMU of this machine, without disks and display, for as long as a closure runs.
enum RealQEMU {
    static let program = "/usr/bin/qemu-system-x86_64"
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    struct Running: Sendable {
        var client: QMPClient
        var socketPath: String
        var processID: pid_t
    }

    /// Starts QEMU, connects, runs `body`, and ends this QEMU by its process id, whatever happened.
    static func run<T>(_ arguments: [String], _ body: (Running) async throws -> T) async throws -> T {
        let path = "/tmp/apus-qmp-real-\(getpid())-\(UInt32.random(in: .min ... .max)).sock"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["-display", "none", "-nodefaults", "-no-user-config", "-qmp", "unix:\(path),server=on,wait=off"] + arguments
        process.standardInput = FileHandle.nullDevice
        let (ended, ending) = AsyncStream.makeStream(of: Void.self)
        process.terminationHandler = { _ in ending.finish() }
        try process.run()
        let processID = process.processIdentifier
        func end() async {
            kill(processID, SIGKILL)
            for await _ in ended {}
            unlink(path)
        }
        do {
            let client = try await QMPClient.connect(to: path, within: .seconds(20), logger: quiet)
            let result = try await body(Running(client: client, socketPath: path, processID: processID))
            await end()
            return result
        } catch {
            await end()
            throw error
        }
    }
}

extension AsyncStream<QMPEvent> {
    /// The events up to and including the first of a kind. Ends with the stream; the tests' time limit is the deadline.
    func until(_ last: QMPEvent.Kind) async -> [QMPEvent] {
        var events: [QMPEvent] = []
        for await event in self {
            events.append(event)
            if event.kind == last { break }
        }
        return events
    }
}
