import AsyncHTTPClient
import ClusterAPI
import Foundation
import NIOCore
import NIOFoundationEssentialsCompat
import Synchronization

/// Reads a stream of JSON lines.
struct LineReader {
    /// The node sends at least an empty line every two seconds.
    static let longestSilence = Duration.seconds(10)
    private static let maxLineBytes = 1 << 20
    let peer: PeerName

    func values<Value: Decodable & Sendable>(in body: HTTPClientResponse.Body) -> AsyncThrowingStream<Value, any Error> {
        AsyncThrowingStream { continuation in
            // Ends with the stream: whoever stops reading it cancels this task, which ends the request.
            let task = Task {
                do {
                    try await read(body) { continuation.yield($0) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: peer.apiError(for: error, deadline: Self.longestSilence))
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private func read<Value: Decodable & Sendable>(
        _ body: HTTPClientResponse.Body, _ found: @escaping @Sendable (Value) -> Void
    ) async throws {
        let lastHeard = LastHeard()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var unread = ByteBuffer()
                for try await part in body {
                    lastHeard.instant.withLock { $0 = .now }
                    unread.writeImmutableBuffer(part)
                    while let line = Self.nextLine(&unread) { if line.readableBytes > 0 { found(try Self.value(line)) } }
                    unread.discardReadBytes()
                    guard unread.readableBytes <= Self.maxLineBytes else {
                        throw APIError(.failed, "\(peer) sends a line without end.")
                    }
                }
            }
            group.addTask {
                while true {
                    let deadline = lastHeard.instant.withLock { $0 } + Self.longestSilence
                    guard deadline > .now else { throw APIError(.unreachable, "\(peer) fell silent. What was asked may still go on.") }
                    try await Task.sleep(until: deadline, clock: .continuous)
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static func nextLine(_ buffer: inout ByteBuffer) -> ByteBuffer? {
        guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = buffer.readSlice(length: end - buffer.readerIndex)
        buffer.moveReaderIndex(forwardBy: 1)
        return line
    }

    /// A line is a value or, as the last one, the reason why there are no more.
    private static func value<Value: Decodable>(_ line: ByteBuffer) throws -> Value {
        do {
            return try APICoding.decoder.decode(Value.self, from: line)
        } catch {
            throw (try? APICoding.decoder.decode(APIError.self, from: line)) ?? error
        }
    }
}

private final class LastHeard: Sendable {
    let instant = Mutex(ContinuousClock.now)
}
