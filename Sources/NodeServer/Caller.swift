import ClusterAPI
import ClusterModel
import NIOCore
import NIOSSL
import NodeIdentity
import Synchronization

/// Who makes a request.
enum Caller: Hashable, Sendable, CustomStringConvertible {
    /// Came through the Unix socket, which only root can open.
    case root
    /// Holds a certificate of the cluster for this node name.
    case node(NodeName)
    /// Holds an administrator's certificate of the cluster.
    case administrator(String)

    var description: String {
        switch self {
        case .root: "root"
        case .node(let name): "node \(name)"
        case .administrator(let name): "administrator \(name)"
        }
    }

    func may(call endpoint: EndpointDescription) -> Bool {
        switch (endpoint.callers, self) {
        // Root may make peer calls too: who is root on a node can use the node's key anyway, and it helps to look into things.
        case (.operators, _), (.peers, .root), (.peers, .node): true
        // Peer calls decide where a machine runs; a person has no business there.
        case (.peers, .administrator): false
        }
    }
}

/// Finds out who is at the other end of a connection.
final class CallerRegister: Sendable {
    /// Certificates that were read, by their DER form. TLS has verified each connection's own; this only spares reading it again for
    /// every request.
    private let known = Mutex<[[UInt8]: Caller]>([:])
    private static let mostKnown = 256

    /// - Throws: ``APIError/Code/forbidden`` when the certificate names nobody who may call. TLS refuses connections without one before.
    func caller(of channel: any Channel) async throws(APIError) -> Caller {
        if case .unixDomainSocket = channel.localAddress { return .root }
        let bytes: [UInt8]
        do {
            guard let certificate = try await channel.nioSSL_peerCertificate().get() else {
                throw APIError(.forbidden, "This connection carries no certificate of the cluster.")
            }
            bytes = try certificate.toDERBytes()
        } catch {
            throw error as? APIError ?? APIError(.forbidden, "The certificate of this connection cannot be read: \(error).")
        }
        if let caller = known.withLock({ $0[bytes] }) { return caller }
        let caller = try Self.caller(der: bytes)
        known.withLock { known in
            if known.count >= Self.mostKnown { known.removeAll() }
            known[bytes] = caller
        }
        return caller
    }

    private static func caller(der: [UInt8]) throws(APIError) -> Caller {
        guard let holder = Holder(der: der) else {
            throw APIError(.forbidden, "This certificate names neither a node nor an administrator of the cluster.")
        }
        switch holder.role {
        case .administrator: return .administrator(holder.name)
        case .node:
            guard let name = try? NodeName(holder.name) else { throw APIError(.forbidden, "\"\(holder.name)\" is no node name.") }
            return .node(name)
        case .memoryStream: throw APIError(.forbidden, "A certificate for memory streams does not open the API.")
        }
    }
}
