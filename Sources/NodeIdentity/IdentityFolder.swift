import Crypto
import FoundationEssentials
import Glibc
import SwiftASN1
import X509

/// The files of an identity, by name, and how a certificate and its key are read and checked.
enum IdentityFolder {
    static let authority = "ca-cert.pem"
    static let authorityKey = "ca-key.pem"
    static let streamAuthority = "stream-ca-cert.pem"
    static let streamAuthorityKey = "stream-ca-key.pem"
    static let nodeCertificate = "node-cert.pem"
    static let nodeKey = "node-key.pem"
    static let administratorCertificate = "admin-cert.pem"
    static let administratorKey = "admin-key.pem"
    /// For QEMU's `tls-creds-x509`, whose file names are fixed (QEMU manual, "TLS setup for network services").
    static let qemu = "qemu"
    static let serverCertificate = "server-cert.pem"
    static let serverKey = "server-key.pem"
    static let clientCertificate = "client-cert.pem"
    static let clientKey = "client-key.pem"
    static let groupParameters = "dh-params.pem"

    /// The group ffdhe2048 (RFC 7919 appendix A.1).
    ///
    /// No stream uses it: TLS 1.3 with elliptic curves does not. But QEMU 7.2 makes a group of its own for a server without this file
    /// (crypto/tlscreds.c), which takes between 30 and 550 ms, on the path of every migration.
    static let ffdhe2048 = """
        -----BEGIN DH PARAMETERS-----
        MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
        +8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
        87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
        YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
        7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
        ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
        -----END DH PARAMETERS-----

        """

    static func certificate(_ path: String) throws(IdentityError) -> Certificate {
        let text = try SafeFile.read(path)
        do { return try Certificate(pemEncoded: text) } catch {
            throw .malformed(path: path, expected: "a certificate", reason: "\(error)")
        }
    }

    /// - Parameter groupMayRead: Whether a group may read the file, as the machines' group must read QEMU's keys.
    static func key(_ path: String, groupMayRead: Bool) throws(IdentityError) -> P256.Signing.PrivateKey {
        let (text, mode) = try SafeFile.readWithMode(path)
        let forbidden: mode_t = groupMayRead ? 0o027 : 0o077
        guard mode & forbidden == 0 else { throw .keyReadableByOthers(path: path, mode: UInt16(mode)) }
        do { return try P256.Signing.PrivateKey(pemRepresentation: text) } catch {
            throw .malformed(path: path, expected: "an ECDSA P-256 private key", reason: "\(error)")
        }
    }

    static func keyPair(certificate: String, key: String, groupMayRead: Bool = false) throws(IdentityError) -> KeyPair {
        let pair = KeyPair(certificate: try self.certificate(certificate), key: try self.key(key, groupMayRead: groupMayRead))
        guard pair.certificate.publicKey == Certificate.PublicKey(pair.key.publicKey) else {
            throw .keyDoesNotMatch(certificate: certificate, key: key)
        }
        return pair
    }

    /// An authority's own certificate: signed by itself, allowed to sign others, valid now.
    static func root(_ path: String, now: Date) throws(IdentityError) -> Certificate {
        let certificate = try self.certificate(path)
        guard certificate.isAuthority, certificate.isSigned(by: certificate) else { throw .notAnAuthority(path: path) }
        try certificate.checkValidity(at: now, path: path)
        return certificate
    }

    /// Everything that can be wrong with a certificate that somebody copied here, most telling first.
    static func check(
        _ certificate: Certificate, path: String, authority: Certificate, authorityPath: String, role: Role, name: String?, now: Date
    ) throws(IdentityError) -> Holder {
        guard certificate.isSigned(by: authority) else {
            throw .foreignAuthority(path: path, authority: authorityPath, issuer: "\(certificate.issuer)")
        }
        try certificate.checkValidity(at: now, path: path)
        let expected = "\(role.rawValue) \(name ?? "of this cluster")"
        guard let holder = Holder(certificate), !certificate.isAuthority else {
            throw .wrongHolder(path: path, expected: expected, found: "\(certificate.subject)")
        }
        // TLS peers compare the DNS name, not the subject, so a node's certificate must have both.
        let isNamed = role == .administrator || certificate.dnsNames == [holder.name]
        guard holder.role == role, isNamed, name == nil || name == holder.name, holder.cluster == authority.commonName else {
            throw .wrongHolder(path: path, expected: expected, found: "\(holder)")
        }
        return holder
    }
}

/// The certificates and keys of an authority as PEM text, to be kept in the replicated configuration.
public struct AuthorityFiles: Hashable, Sendable, Codable {
    public var clusterCertificate: String
    public var clusterKey: String
    public var streamCertificate: String
    public var streamKey: String

    public init(clusterCertificate: String, clusterKey: String, streamCertificate: String, streamKey: String) {
        self.clusterCertificate = clusterCertificate
        self.clusterKey = clusterKey
        self.streamCertificate = streamCertificate
        self.streamKey = streamKey
    }
}

extension CertificateAuthority {
    public func files() throws(IdentityError) -> AuthorityFiles {
        AuthorityFiles(
            clusterCertificate: try clusterRoot.certificatePEM(), clusterKey: clusterRoot.keyPEM,
            streamCertificate: try streamRoot.certificatePEM(), streamKey: streamRoot.keyPEM)
    }

    /// The authority that ``files()`` gave.
    ///
    /// - Throws: ``IdentityError`` when one is damaged, has expired, or does not belong to the others.
    public init(_ files: AuthorityFiles, now: Date) throws(IdentityError) {
        func pair(_ certificate: String, _ key: String, _ what: String) throws(IdentityError) -> KeyPair {
            let place = "the \(what) root in the cluster's configuration"
            let parsed: KeyPair
            do {
                parsed = KeyPair(
                    certificate: try Certificate(pemEncoded: certificate), key: try P256.Signing.PrivateKey(pemRepresentation: key))
            } catch { throw .malformed(path: place, expected: "a certificate with its key", reason: "\(error)") }
            guard parsed.certificate.publicKey == Certificate.PublicKey(parsed.key.publicKey) else {
                throw .keyDoesNotMatch(certificate: place, key: place)
            }
            guard parsed.certificate.isAuthority, parsed.certificate.isSigned(by: parsed.certificate) else {
                throw .notAnAuthority(path: place)
            }
            try parsed.certificate.checkValidity(at: now, path: place)
            return parsed
        }
        let cluster = try pair(files.clusterCertificate, files.clusterKey, "cluster")
        let stream = try pair(files.streamCertificate, files.streamKey, "stream")
        guard let name = cluster.certificate.commonName, Self.isLabel(name), stream.certificate.commonName == name else {
            throw .notAnAuthority(path: "the cluster's configuration")
        }
        self.init(cluster: name, clusterRoot: cluster, streamRoot: stream)
    }
}

extension CertificateAuthority {
    /// Writes the authority's certificates and keys (0600) to a folder that only root may enter.
    public func write(to folder: String) throws(IdentityError) {
        try SafeFile.makeFolder(folder, mode: 0o700)
        for (pair, certificate, key) in [
            (clusterRoot, IdentityFolder.authority, IdentityFolder.authorityKey),
            (streamRoot, IdentityFolder.streamAuthority, IdentityFolder.streamAuthorityKey),
        ] {
            try SafeFile.write(pair.keyPEM, to: "\(folder)/\(key)", mode: 0o600)
            try SafeFile.write(try pair.certificatePEM(), to: "\(folder)/\(certificate)", mode: 0o644)
        }
    }

    /// Loads an authority that ``write(to:)`` wrote, and checks that it can still issue certificates.
    ///
    /// - Throws: ``IdentityError`` when a file is missing or damaged, a key is readable by others or belongs to another
    ///   certificate, the two roots are of different clusters, or one has expired.
    public static func load(from folder: String, now: Date) throws(IdentityError) -> CertificateAuthority {
        func root(_ certificate: String, _ key: String) throws(IdentityError) -> KeyPair {
            let path = "\(folder)/\(certificate)"
            _ = try IdentityFolder.root(path, now: now)
            return try IdentityFolder.keyPair(certificate: path, key: "\(folder)/\(key)")
        }
        let cluster = try root(IdentityFolder.authority, IdentityFolder.authorityKey)
        let stream = try root(IdentityFolder.streamAuthority, IdentityFolder.streamAuthorityKey)
        guard let name = cluster.certificate.commonName, isLabel(name) else {
            throw .notAnAuthority(path: "\(folder)/\(IdentityFolder.authority)")
        }
        guard stream.certificate.commonName == name, stream.certificate.publicKey != cluster.certificate.publicKey else {
            throw .wrongHolder(
                path: "\(folder)/\(IdentityFolder.streamAuthority)", expected: "the stream root of cluster \(name)",
                found: "\(stream.certificate.subject)")
        }
        return CertificateAuthority(cluster: name, clusterRoot: cluster, streamRoot: stream)
    }
}
