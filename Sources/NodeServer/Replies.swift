import ClusterAPI
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOFoundationEssentialsCompat
import ServiceLifecycle

extension Response {
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws(APIError) -> Response {
        let data: Data
        do { data = try APICoding.encoder.encode(value) } catch {
            throw APIError(.failed, "The reply cannot be written as JSON: \(error)")
        }
        return Response(
            status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    }

    /// An error as JSON, also when the error itself cannot be encoded.
    static func error(_ error: APIError, status: HTTPResponse.Status? = nil) -> Response {
        let status = status ?? HTTPResponse.Status(code: error.httpStatus)
        return (try? json(error, status: status)) ?? Response(status: status)
    }

    /// The same but ending the connection, for a request whose rest is not worth reading.
    static func closing(_ error: APIError, status: HTTPResponse.Status) -> Response {
        var response = Response.error(error, status: status)
        response.headers[.connection] = "close"
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            try await body.write(writer)
            throw ConnectionEnds()
        }
        return response
    }

    /// One JSON value a line, each sent at once; an ``APIError`` as the last line when the values end with an error.
    ///
    /// An empty line after every `heartbeat` tells the follower that the node is alive, and tells us whether the follower is. When it
    /// closes its connection, or the server stops, the stream of values is cancelled.
    ///
    /// The connection ends with the reply, because what watches for its end cannot give it back (Hummingbird, `RequestBody`). The reply
    /// says so, or a client would use it for its next request and find it closed under its hands.
    static func lines<Value: Encodable & Sendable>(
        of values: AsyncThrowingStream<Value, any Error>, to request: Request, heartbeat: Duration
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store", .connection: "close"],
            body: ResponseBody { writer in
                try await request.body.consumeWithCancellationOnInboundClose { _ in
                    // A follower that does not read loses old news, never the newest, and costs no more memory than this.
                    let (lines, continuation) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingNewest(64))
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { await send(values, to: continuation) }
                        group.addTask {
                            while true {
                                try await Task.sleep(for: heartbeat)
                                continuation.yield(ByteBuffer(string: "\n"))
                            }
                        }
                        group.addTask {
                            try await gracefulShutdown()
                            continuation.finish()
                        }
                        defer { group.cancelAll() }
                        for await line in lines { try await writer.write(line) }
                    }
                }
                try await writer.finish(nil)
            })
    }

    private static func send<Value: Encodable & Sendable>(
        _ values: AsyncThrowingStream<Value, any Error>, to lines: AsyncStream<ByteBuffer>.Continuation
    ) async {
        defer { lines.finish() }
        do {
            for try await value in values { lines.yield(try line(value)) }
        } catch is CancellationError {
            return
        } catch {
            let error = error as? APIError ?? APIError(.failed, String(describing: error))
            if let line = try? line(error) { lines.yield(line) }
        }
    }

    private static func line(_ value: some Encodable) throws -> ByteBuffer {
        var buffer = ByteBuffer(bytes: try APICoding.encoder.encode(value))
        buffer.writeString("\n")
        return buffer
    }
}

/// Ends a connection after its last reply was written.
struct ConnectionEnds: Error {}

/// A request that is refused with a status of HTTP's own.
struct RefusedRequest: Error {
    var error: APIError
    var status: HTTPResponse.Status
    var closes = false
}

extension Request {
    /// Reads the whole body and decodes it.
    ///
    /// - Throws: ``RefusedRequest`` when the body is too long or does not arrive in time, ``APIError`` when it is not understood.
    func decode<Value: Decodable>(
        _ type: Value.Type, upTo limit: (byteCount: Int, time: Duration), _ deadlines: RequestDeadlines
    ) async throws -> Value {
        let buffer = try await bytes(upTo: limit, deadlines)
        do {
            return try APICoding.decoder.decode(type, from: buffer)
        } catch let error as DecodingError {
            throw APIError(.invalid, "The request is not understood: \(error.sentence).")
        }
    }

    private func bytes(upTo limit: (byteCount: Int, time: Duration), _ deadlines: RequestDeadlines) async throws -> ByteBuffer {
        let body = body
        guard let buffer = try await deadlines.run(within: limit.time, { try await Self.read(body, upTo: limit.byteCount) }) else {
            throw RefusedRequest(
                error: APIError(.timeout, "The body of the request did not arrive within \(limit.time.components.seconds) seconds."),
                status: .requestTimeout, closes: true)
        }
        return buffer
    }

    /// What is too long is still read for a while and dropped: a client that sends when its connection is reset never sees why.
    private static func read(_ body: RequestBody, upTo limit: Int) async throws -> ByteBuffer {
        var buffer = ByteBuffer()
        var count = 0
        for try await part in body {
            count += part.readableBytes
            if count <= limit {
                buffer.writeImmutableBuffer(part)
            } else {
                buffer = ByteBuffer()
            }
            if count > mostThatIsRead { throw tooLong(limit, closes: true) }
        }
        guard count <= limit else { throw tooLong(limit, closes: false) }
        return buffer
    }

    private static let mostThatIsRead = 128 << 20

    private static func tooLong(_ limit: Int, closes: Bool) -> RefusedRequest {
        RefusedRequest(
            error: APIError(.invalid, "The body of the request is too long: at most \(limit >> 20) MiB are read here."),
            status: .contentTooLarge, closes: closes)
    }
}
