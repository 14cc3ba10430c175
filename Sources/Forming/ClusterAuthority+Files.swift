import ClusterModel
import Foundation
import NodeIdentity

// The replicated configuration keeps the authority as two texts. Each holds two PEM blocks: the cluster root's first, then the stream
// root's.

extension ClusterAuthority {
    public init(_ files: AuthorityFiles) {
        self.init(
            certificatePEM: files.clusterCertificate + files.streamCertificate, privateKeyPEM: Secret(files.clusterKey + files.streamKey))
    }

    /// - Throws: ``IdentityError`` when a text does not hold two blocks.
    public func files() throws(IdentityError) -> AuthorityFiles {
        let certificates = Self.blocks(certificatePEM)
        let keys = Self.blocks(privateKeyPEM.exposed)
        guard certificates.count == 2, keys.count == 2 else {
            throw .malformed(
                path: "the cluster's configuration", expected: "the certificates and keys of two authorities",
                reason: "there are \(certificates.count) certificates and \(keys.count) keys")
        }
        return AuthorityFiles(
            clusterCertificate: certificates[0], clusterKey: keys[0], streamCertificate: certificates[1], streamKey: keys[1])
    }

    private static func blocks(_ text: String) -> [String] {
        var blocks: [String] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("-----BEGIN ") { blocks.append("") }
            guard !blocks.isEmpty else { continue }
            blocks[blocks.count - 1] += line + "\n"
        }
        return blocks
    }
}

extension CertificateWithKey {
    /// What the replicated configuration keeps of it.
    public var facts: CertificateFacts {
        get throws(IdentityError) {
            let (serial, fingerprint) = try names()
            return CertificateFacts(serial: serial, fingerprint: fingerprint, notAfter: WallTime(expires))
        }
    }
}
