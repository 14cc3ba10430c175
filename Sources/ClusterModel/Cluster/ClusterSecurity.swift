/// What names one certificate.
public struct CertificateFacts: Hashable, Sendable, Codable {
    /// Hexadecimal, as issued by the cluster's authority (RFC 5280 section 4.1.2.2).
    public var serial: String
    /// SHA-256 over the DER form, hexadecimal.
    public var fingerprint: String
    public var notAfter: WallTime
    public init(serial: String, fingerprint: String, notAfter: WallTime) {
        self.serial = serial
        self.fingerprint = fingerprint
        self.notAfter = notAfter
    }
}

/// A certificate that the cluster's authority has given out.
public struct IssuedCertificate: Hashable, Sendable, Codable {
    public var facts: CertificateFacts
    /// Its common name.
    public var subject: String
    /// The node it proves; nil for an administrator's.
    public var node: NodeID?
    public var issuedAt: WallTime
    /// Since when it is refused; nil while it is good.
    public var revokedAt: WallTime?
    public init(facts: CertificateFacts, subject: String, node: NodeID?, issuedAt: WallTime, revokedAt: WallTime? = nil) {
        self.facts = facts
        self.subject = subject
        self.node = node
        self.issuedAt = issuedAt
        self.revokedAt = revokedAt
    }
}

/// The cluster's own certificate authority. It lives in the replicated configuration, so that any node can let another one in.
public struct ClusterAuthority: Hashable, Sendable, Codable {
    public var certificatePEM: String
    public var privateKeyPEM: Secret
    /// Authorities that certificates in use still come from, newest first.
    public var formerCertificatePEMs: [String]
    public init(certificatePEM: String, privateKeyPEM: Secret, formerCertificatePEMs: [String] = []) {
        self.certificatePEM = certificatePEM
        self.privateKeyPEM = privateKeyPEM
        self.formerCertificatePEMs = formerCertificatePEMs
    }
}

/// A one-time permission to join. The token itself is never kept, only its hash.
public struct JoinToken: Hashable, Sendable, Codable {
    /// SHA-256 of the token, hexadecimal.
    public var hash: String
    /// The only node that may use it; nil for any.
    public var node: NodeName?
    public var expiresAt: WallTime
    public init(hash: String, node: NodeName?, expiresAt: WallTime) {
        self.hash = hash
        self.node = node
        self.expiresAt = expiresAt
    }
}
