import AsyncHTTPClient
import ClusterAPI
import ClusterModel
import Foundation
import NIOCore
import NIOFoundationEssentialsCompat
import NIOHTTP1
import NIOSSL

/// The connections to one node, and the translation of what goes wrong on them.
final class NodeLink: Sendable {
    /// Longest reply that is read. A cluster of hundreds of machines needs some hundred kilobytes.
    private static let maxReplyBytes = 64 << 20

    let http: HTTPClient
    let peer: PeerName
    private let base: String

    init(socketPath: String) {
        // Taking a connection on a socket is the kernel's work; the time is for a host too busy to schedule us.
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: Self.configuration(connectTimeout: .seconds(5)))
        peer = .socket(socketPath)
        let host = socketPath.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? socketPath
        base = "http+unix://\(host)"
    }

    init(address: String, port: Int, node: NodeName?, identity: String, connectTimeout: Duration) throws(APIError) {
        var configuration = Self.configuration(connectTimeout: connectTimeout)
        configuration.tlsConfiguration = try Self.clientTLS(identity: identity)
        // One connection more than calls under way, so that the calls of a switchover never wait for a handshake.
        configuration.connectionPool.preWarmedHTTP1ConnectionCount = 1
        if let node {
            // The URL bears the node's name, which TLS then demands of the certificate; the override says where it lives.
            configuration.dnsOverride = [node.rawValue: address]
            configuration.http1_1ConnectionDebugInitializer = { channel in PeerCheck.require(node, of: channel) }
        }
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        peer = .node(node, address: address, port: port)
        let host = node?.rawValue ?? (address.contains(":") ? "[\(address)]" : address)
        base = "https://\(host):\(port)"
    }

    /// To a node that belongs to no cluster. TLS checks that it holds the key of the certificate that it shows; that this is the
    /// certificate which is meant is checked before anything is sent.
    init(address: String, port: Int, node: NodeName, fingerprint: [UInt8], connectTimeout: Duration) {
        var configuration = Self.configuration(connectTimeout: connectTimeout)
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv13
        tls.certificateVerification = .none
        configuration.tlsConfiguration = tls
        configuration.http1_1ConnectionDebugInitializer = { channel in PinnedCheck.require(fingerprint, of: channel) }
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        peer = .node(node, address: address, port: port)
        base = "https://\(address.contains(":") ? "[\(address)]" : address):\(port)"
    }

    deinit {
        // A client that is let go without `close()`: the pool is kept alive by its own shutdown, nothing waits for it.
        http.shutdown().whenComplete { _ in }
    }

    func close() async {
        // Fails only when it was closed before, which is what was asked for.
        try? await http.shutdown().get()
    }

    /// - Parameter deadline: For the whole reply; nil takes the endpoint's.
    func call<Reply: Decodable & Sendable>(
        _ endpoint: EndpointDescription, _ parameters: [String], body: Data?, deadline: Duration?
    ) async throws(APIError) -> Reply {
        let request = request(endpoint, parameters, body: body)
        let deadline = deadline ?? endpoint.deadline
        let (status, bytes) = try await translating(deadline) { try await self.exchange(request, deadline) }
        guard status < 300 else { throw error(status, bytes) }
        if let none = NoContent() as? Reply { return none }
        do {
            return try APICoding.decoder.decode(Reply.self, from: bytes)
        } catch {
            throw APIError(.failed, "\(peer) answered \(endpoint) with something else than expected. Do both run the same Apus version?")
        }
    }

    /// Opens a stream of JSON lines.
    func follow<Value: Decodable & Sendable>(
        _ endpoint: Endpoint<NoContent, Value>, _ parameter: String, deadline: Duration?
    ) async throws(APIError) -> AsyncThrowingStream<Value, any Error> {
        let request = request(endpoint.description, [parameter], body: nil)
        let deadline = deadline ?? endpoint.description.deadline
        let response = try await translating(deadline) {
            try await Self.execute(request, with: self.http, within: deadline)
        }
        guard response.status.code < 300 else {
            let bytes = try await translating(deadline) { try await response.body.collect(upTo: Self.maxReplyBytes) }
            throw error(Int(response.status.code), bytes)
        }
        return LineReader(peer: peer).values(in: response.body)
    }

    private func request(_ endpoint: EndpointDescription, _ parameters: [String], body: Data?) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: base + endpoint.path(parameters))
        request.method = .init(rawValue: endpoint.method.rawValue)
        request.headers.add(name: "accept", value: endpoint.replyForm == .lines ? "application/x-ndjson" : "application/json")
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(data: body))
        }
        return request
    }

    private func exchange(_ request: HTTPClientRequest, _ deadline: Duration) async throws -> (status: Int, body: ByteBuffer) {
        // AsyncHTTPClient's deadline ends with the head of the reply; this one covers all of it.
        try await withThrowingTaskGroup(of: (Int, ByteBuffer).self) { group in
            group.addTask { [http] in
                let response = try await Self.execute(request, with: http, within: deadline)
                return (Int(response.status.code), try await response.body.collect(upTo: Self.maxReplyBytes))
            }
            group.addTask {
                try await Task.sleep(for: deadline)
                throw HTTPClientError.deadlineExceeded
            }
            defer { group.cancelAll() }
            guard let reply = try await group.next() else { throw HTTPClientError.cancelled }
            return reply
        }
    }

    /// A kept connection may be closed by the node just when we use it. Asking again is safe for what only reads.
    private static func execute(
        _ request: HTTPClientRequest, with http: HTTPClient, within deadline: Duration
    ) async throws -> HTTPClientResponse {
        do {
            return try await http.execute(request, timeout: TimeAmount(deadline))
        } catch  where request.method == .GET && isClosedConnection(error) {
            return try await http.execute(request, timeout: TimeAmount(deadline))
        }
    }

    /// The node's end was closed before or while the request was written.
    private static func isClosedConnection(_ error: any Error) -> Bool {
        error as? HTTPClientError == .remoteConnectionClosed || error as? ChannelError == .ioOnClosedChannel
    }

    private func error(_ status: Int, _ bytes: ByteBuffer) -> APIError {
        if let error = try? APICoding.decoder.decode(APIError.self, from: bytes) { return error }
        return APIError(.failed, "\(peer) answered with HTTP status \(status) and no reason. Is it an Apus node service?")
    }

    private func translating<Value: Sendable>(
        _ deadline: Duration, _ operation: () async throws -> Value
    ) async throws(APIError) -> Value {
        do { return try await operation() } catch { throw peer.apiError(for: error, deadline: deadline) }
    }

    private static func configuration(connectTimeout: Duration) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = TimeAmount(connectTimeout)
        // Whoever wants another attempt makes another call; a refused connection is an answer.
        configuration.connectionPool.retryConnectionEstablishment = false
        // A call that finds all connections busy waits no longer than for a new one; so let there be enough.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        configuration.connectionPool.idleTimeout = .seconds(120)
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        return configuration
    }

    /// The certificates of a node, or of an administrator where the folder is one.
    private static func clientTLS(identity: String) throws(APIError) -> TLSConfiguration {
        do {
            let holder = FileManager.default.fileExists(atPath: identity + "/node-cert.pem") ? "node" : "admin"
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = .tlsv13
            configuration.certificateVerification = .fullVerification
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(identity + "/ca-cert.pem"))
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(identity + "/\(holder)-cert.pem").map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: identity + "/\(holder)-key.pem", format: .pem))
            return configuration
        } catch {
            let why = FileManager.default.fileExists(atPath: identity) ? "\(error)" : "there is no such folder"
            throw APIError(
                .failed,
                "The certificates in \(identity) cannot be read: \(why). Expected are ca-cert.pem with node-cert.pem and node-key.pem, "
                    + "or with admin-cert.pem and admin-key.pem.")
        }
    }
}
