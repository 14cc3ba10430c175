import ClusterAPI
import NIOCore
import NIOSSL
import NodeIdentity
import Synchronization

/// What the server shows on the cluster network, and whom it trusts there. Can change while it runs: connections that come later see
/// the new one.
public final class ListenerIdentity: Sendable {
    private struct State: Sendable {
        var context: NIOSSLContext?
        /// Rises when other certificates are trusted than before, not when ours is renewed.
        var trust = 0
        /// The trust under which each open connection was accepted.
        var connections: [ObjectIdentifier: Int] = [:]
    }
    private let state = Mutex(State())

    public init() {}

    /// Shows the certificates of a folder (`ca-cert.pem`, `node-cert.pem`, `node-key.pem`), and demands one of the same cluster.
    ///
    /// - Parameter isRenewal: The same cluster as before: callers who are connected stay who they are.
    /// - Throws: ``NodeServerError/unusableIdentity(folder:reason:)``; then nothing changed.
    public func showMember(folder: String, isRenewal: Bool = false) throws(NodeServerError) {
        do {
            var configuration = TLSConfiguration.makeServerConfigurationWithMTLS(
                certificateChain: try NIOSSLCertificate.fromPEMFile(folder + "/node-cert.pem").map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: folder + "/node-key.pem", format: .pem)),
                trustRoots: .certificates(try NIOSSLCertificate.fromPEMFile(folder + "/ca-cert.pem")))
            configuration.minimumTLSVersion = .tlsv13
            configuration.applicationProtocols = ["http/1.1"]
            try set(configuration, isRenewal: isRenewal)
        } catch {
            throw .unusableIdentity(folder: folder, reason: String(describing: error))
        }
    }

    /// Shows the certificate of a node that belongs to no cluster, and asks callers for none: they are known by a secret.
    public func showFree(_ identity: FreeNodeIdentity) throws(NodeServerError) {
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(identity.certificatePEM.utf8)).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(identity.keyPEM.utf8), format: .pem)))
            configuration.minimumTLSVersion = .tlsv13
            configuration.applicationProtocols = ["http/1.1"]
            try set(configuration, isRenewal: false)
        } catch {
            throw .unusableIdentity(folder: "the state folder", reason: String(describing: error))
        }
    }

    /// How long a closed connection waits for the other side to say that it is closed there too. A client that keeps it for later says
    /// so only when it next looks at it, and NIOSSL's five seconds would be those that the node service takes to stop.
    private static let goodbyeLimit = TimeAmount.milliseconds(300)

    private func set(_ configuration: TLSConfiguration, isRenewal: Bool) throws {
        var configuration = configuration
        configuration.shutdownTimeout = Self.goodbyeLimit
        let context = try NIOSSLContext(configuration: configuration)
        state.withLock { state in
            state.context = context
            if !isRenewal { state.trust += 1 }
        }
    }

    /// A TLS handler for a new connection, which is remembered with whom we trust now.
    func handler(for channel: any Channel) throws -> NIOSSLServerHandler {
        let key = ObjectIdentifier(channel)
        let context = try state.withLock { state throws(NodeServerError) in
            guard let context = state.context else { throw NodeServerError.unusableIdentity(folder: "", reason: "there is none yet") }
            state.connections[key] = state.trust
            return context
        }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.connections[key] = nil } }
        return NIOSSLServerHandler(context: context)
    }

    /// Whether a connection was accepted under the trust that holds now. One that was not proves nothing about its caller any more.
    func isCurrent(_ channel: any Channel) -> Bool {
        state.withLock { $0.connections[ObjectIdentifier(channel)] == $0.trust }
    }
}
