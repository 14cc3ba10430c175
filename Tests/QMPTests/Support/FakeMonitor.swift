import Foundation
import Glibc
import Logging
import QMP
import Testing

let greetingLine =
    #"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2"}, "capabilities": ["oob"]}}"#
let quiet = Logger(label: "qmp-tests") { _ in SwiftLogNoOpLogHandler() }

/// A Unix socket server whose behaviour a test writes down, to be worse than any QEMU.
///
/// Each connection runs the script on a thread of its own, with blocking calls that give up after some seconds.
final class FakeMonitor: Sendable {
    let path: String
    private let listener: CInt

    /// - Parameter script: Runs once per connection; the connection closes when it returns. The number counts from 0.
    init(backlog: CInt = 8, _ script: @escaping @Sendable (_ peer: Peer, _ connection: Int) throws -> Void) throws {
        path = "/tmp/apus-qmp-\(getpid())-\(UInt32.random(in: .min ... .max)).sock"
        listener = try Self.listen(at: path, backlog: backlog)
        let listener = listener
        Thread.detachNewThread {
            var count = 0
            while true {
                // Ends when the listener is shut down.
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { break }
                // A QEMU that another test starts must not keep this connection open.
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                let peer = Peer(descriptor: descriptor)
                let number = count
                count += 1
                Thread.detachNewThread {
                    // A script that fails closes the connection; the test sees that.
                    do { try script(peer, number) } catch { peer.complaint(error) }
                    Glibc.close(descriptor)
                }
            }
            Glibc.close(listener)
        }
    }

    deinit {
        shutdown(listener, CInt(SHUT_RDWR))
        unlink(path)
    }

    static func listen(at path: String, backlog: CInt) throws -> CInt {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard descriptor >= 0, bound == 0, Glibc.listen(descriptor, backlog) == 0 else { throw Broken(what: "listen at \(path)") }
        return descriptor
    }

    struct Broken: Error { var what: String }

    /// A command as it arrived.
    struct Command: CustomStringConvertible {
        var name: String
        var isOutOfBand: Bool
        var id: String
        var arguments: [String: Any]

        init(_ line: [UInt8]) throws {
            guard let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any],
                let name = (object["execute"] ?? object["exec-oob"]) as? String, let id = object["id"] as? String
            else { throw Broken(what: "no command: \(String(decoding: line, as: UTF8.self))") }
            self.name = name
            self.id = id
            isOutOfBand = object["exec-oob"] != nil
            arguments = object["arguments"] as? [String: Any] ?? [:]
        }

        func hasSameMeaning(as other: Command) -> Bool {
            name == other.name && isOutOfBand == other.isOutOfBand
                && NSDictionary(dictionary: arguments) == NSDictionary(dictionary: other.arguments)
        }
        var description: String { "\(name)\(isOutOfBand ? " (out of band)" : "") \(arguments)" }
    }

    /// The server's end of one connection.
    struct Peer: Sendable {
        let descriptor: CInt

        func send(_ text: String) throws { try send(Array(text.utf8)) }
        func line(_ text: String) throws { try send(text + "\r\n") }

        func send(_ bytes: [UInt8]) throws {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
                guard count > 0 else { throw Broken(what: "send") }
                rest = rest.dropFirst(count)
            }
        }

        /// The next command: its name and id. Reads byte by byte, so nothing is read ahead.
        func command() throws -> Command {
            var line: [UInt8] = []
            while true {
                var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&state, 1, 10_000) == 1 else { throw Broken(what: "no command for 10 s") }
                var byte: UInt8 = 0
                guard recv(descriptor, &byte, 1, 0) == 1 else { throw Broken(what: "client left") }
                if byte == UInt8(ascii: "\n") { break }
                line.append(byte)
            }
            return try Command(line)
        }

        /// Greets and answers the negotiation.
        func welcome() throws {
            try line(greetingLine)
            let command = try command()
            guard command.name == "qmp_capabilities" else { throw Broken(what: "expected the negotiation, got \(command.name)") }
            try reply(to: command.id)
        }

        func reply(to id: String, _ value: String = "{}") throws { try line(#"{"return": \#(value), "id": "\#(id)"}"#) }

        /// Waits until the client leaves.
        func untilClosed() {
            var byte: UInt8 = 0
            while recv(descriptor, &byte, 1, 0) == 1 {}
        }

        fileprivate func complaint(_ error: any Error) {
            if ProcessInfo.processInfo.environment["QMP_TESTS_VERBOSE"] != nil { print("fake monitor: \(error)") }
        }
    }
}

func eventLine(_ name: String, data: String? = nil, seconds: Int64 = 1_700_000_000, microseconds: Int64 = 5) -> String {
    let time = #""timestamp": {"seconds": \#(seconds), "microseconds": \#(microseconds)}"#
    return #"{\#(time), "event": "\#(name)"\#(data.map { #", "data": \#($0)"# } ?? "")}"#
}

let runningReply = #"{"status": "running", "singlestep": false, "running": true}"#

/// Runs `body`, expecting it to throw; the test fails when it does not.
func failure<T: Sendable>(
    of body: () async throws(QMPError) -> T, sourceLocation: SourceLocation = #_sourceLocation
) async throws -> QMPError {
    do throws(QMPError) {
        let value = try await body()
        Issue.record("expected an error, got \(value)", sourceLocation: sourceLocation)
        throw QMPError.unencodable("no error", command: "")
    } catch {
        return error
    }
}
