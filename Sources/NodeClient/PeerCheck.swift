import ClusterModel
import NIOCore
import NIOSSL
import NodeIdentity

/// The certificate is good, but bears another name than the node that is meant.
struct WrongPeer: Error {}

/// Demands the node's name of a certificate.
///
/// swift-nio-ssl accepts a certificate that matches the host name *or* the IP address that was dialled (IdentityVerification.swift),
/// and node certificates carry both. An address that moved to another node of the cluster would then be taken for the node that had
/// it, and told to run its machines. So the name itself is checked on every new connection, before anything is sent on it.
enum PeerCheck {
    static func require(_ node: NodeName, of channel: any Channel) -> EventLoopFuture<Void> {
        channel.nioSSL_peerCertificate().flatMapThrowing { certificate in
            guard let certificate, bears(node, certificate) else {
                // Later, not now: AsyncHTTPClient first has to learn that the connection failed, or it counts it twice.
                channel.eventLoop.execute { channel.close(promise: nil) }
                throw WrongPeer()
            }
        }
    }

    private static func bears(_ node: NodeName, _ certificate: NIOSSLCertificate) -> Bool {
        certificate._subjectAlternativeNames().contains { name in
            name.nameType == .dnsName
                && name.contents.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) } == node.rawValue
        }
    }
}

/// The certificate is not the one that the token speaks of.
struct WrongFingerprint: Error {}

/// Demands one certificate, known by its fingerprint, whoever signed it: how a node is trusted that belongs to no cluster yet.
enum PinnedCheck {
    static func require(_ fingerprint: [UInt8], of channel: any Channel) -> EventLoopFuture<Void> {
        channel.nioSSL_peerCertificate().flatMapThrowing { certificate in
            guard let certificate, FreeNodeIdentity.fingerprint(ofDER: try certificate.toDERBytes()) == fingerprint else {
                channel.eventLoop.execute { channel.close(promise: nil) }
                throw WrongFingerprint()
            }
        }
    }
}
