import ClusterAPI
import ClusterModel
import NIOCore
import NIOSSL

/// Who makes a request.
enum Caller: Hashable, Sendable, CustomStringConvertible {
    /// Came through the Unix socket, which only root can open.
    case root
    /// Holds a certificate for this node name.
    case node(NodeName)
    /// Holds a certificate of the cluster's authority that names no node.
    case administrator

    var description: String {
        switch self {
        case .root: "root"
        case .node(let name): "node \(name)"
        case .administrator: "administrator"
        }
    }

    func may(call endpoint: EndpointDescription) -> Bool {
        switch (endpoint.callers, self) {
        case (.operators, _), (.peers, .root), (.peers, .node): true
        // Peer calls decide where a machine runs; a person has no business there.
        case (.peers, .administrator): false
        }
    }

    /// - Throws: ``APIError/Code/forbidden`` when a TCP connection carries no certificate. TLS refuses those before; this is the
    ///   second lock on the door.
    init(of channel: any Channel) async throws(APIError) {
        if case .unixDomainSocket = channel.localAddress {
            self = .root
            return
        }
        let certificate: NIOSSLCertificate?
        do { certificate = try await channel.nioSSL_peerCertificate().get() } catch { certificate = nil }
        guard let certificate else { throw APIError(.forbidden, "This connection carries no certificate of the cluster.") }
        self = Self.name(in: certificate).map(Caller.node) ?? .administrator
    }

    /// The node name among the certificate's subject alternative names (RFC 5280 section 4.2.1.6). The accessor's underscore says that
    /// swift-nio-ssl may still rename it; no other offers the names without a second certificate parser.
    private static func name(in certificate: NIOSSLCertificate) -> NodeName? {
        for name in certificate._subjectAlternativeNames() where name.nameType == .dnsName {
            let text = name.contents.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
            if let node = try? NodeName(text) { return node }
        }
        return nil
    }
}
