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
    /// Showed no certificate, or one that was trusted when it connected and is no longer.
    case stranger

    var description: String {
        switch self {
        case .root: "root"
        case .node(let name): "node \(name)"
        case .administrator(let name): "administrator \(name)"
        case .stranger: "somebody without a certificate"
        }
    }

    func may(call endpoint: EndpointDescription) -> Bool {
        switch (endpoint.callers, self) {
        // The secret in the request says whether it may.
        case (.joiners, _): true
        case (.root, _): self == .root
        // Root may make peer calls too: who is root on a node can use the node's key anyway, and it helps to look into things.
        case (.operators, .root), (.operators, .node), (.operators, .administrator), (.peers, .root), (.peers, .node): true
        // Peer calls decide where a machine runs; a person has no business there.
        case (.peers, .administrator), (_, .stranger): false
        }
    }

    /// Why it may not.
    func refusal(of endpoint: EndpointDescription) -> APIError {
        let who =
            switch endpoint.callers {
            case .operators: "root on this node, administrators and nodes of the cluster"
            case .peers: "nodes of the cluster among themselves"
            case .root: "root on this node, who uses the node service's own socket"
            case .joiners: "everybody who knows the token"
            }
        return APIError(.forbidden, "\(endpoint) is for \(who); this is \(self).")
    }
}

/// Finds out who is at the other end of a connection.
final class CallerRegister: Sendable {
    /// Certificates that were read, by their DER form. TLS has verified each connection's own; this only spares reading it again for
    /// every request.
    private let known = Mutex<[[UInt8]: Known]>([:])
    private static let mostKnown = 256
    private let identity: ListenerIdentity?
    private let refusal: @Sendable (Holder) -> APIError?

    private struct Known { var caller: Caller, holder: Holder }

    init(identity: ListenerIdentity?, refusal: @escaping @Sendable (Holder) -> APIError?) {
        self.identity = identity
        self.refusal = refusal
    }

    /// - Throws: ``APIError/Code/forbidden`` when the certificate names nobody who may call. One who shows none is a stranger.
    func caller(of channel: any Channel) async throws(APIError) -> Caller {
        if case .unixDomainSocket = channel.localAddress { return .root }
        let bytes: [UInt8]
        do {
            guard let certificate = try await channel.nioSSL_peerCertificate().get(), identity?.isCurrent(channel) ?? true else {
                return .stranger
            }
            bytes = try certificate.toDERBytes()
        } catch {
            throw error as? APIError ?? APIError(.forbidden, "The certificate of this connection cannot be read: \(error).")
        }
        let one: Known
        if let known = known.withLock({ $0[bytes] }) { one = known } else { one = try Self.known(der: bytes) }
        // Every time: what makes a certificate unwelcome may happen while its holder is connected.
        if let refusal = refusal(one.holder) { throw refusal }
        known.withLock { known in
            if known.count >= Self.mostKnown { known.removeAll() }
            known[bytes] = one
        }
        return one.caller
    }

    private static func known(der: [UInt8]) throws(APIError) -> Known {
        guard let holder = Holder(der: der) else {
            throw APIError(.forbidden, "This certificate names neither a node nor an administrator of the cluster.")
        }
        return Known(caller: try caller(holder), holder: holder)
    }

    private static func caller(_ holder: Holder) throws(APIError) -> Caller {
        switch holder.role {
        case .administrator: return .administrator(holder.name)
        case .node:
            guard let name = try? NodeName(holder.name) else { throw APIError(.forbidden, "\"\(holder.name)\" is no node name.") }
            return .node(name)
        case .memoryStream: throw APIError(.forbidden, "A certificate for memory streams does not open the API.")
        }
    }
}
