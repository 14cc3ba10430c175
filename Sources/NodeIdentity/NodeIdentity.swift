import FoundationEssentials
import Glibc
import X509

/// What a node is given when it joins: its certificates and keys, from ``CertificateAuthority/issueNodeCertificate(node:addresses:now:)``.
public struct NodeCredentials: Hashable, Sendable {
    public let node: String
    /// For the API: as server, and as client of other nodes.
    public let api: CertificateWithKey
    /// For QEMU's memory streams, from the other root.
    public let stream: CertificateWithKey

    public init(node: String, api: CertificateWithKey, stream: CertificateWithKey) {
        self.node = node
        self.api = api
        self.stream = stream
    }

    /// Writes the node's identity folder.
    ///
    /// Each file is replaced atomically, keys before certificates. A crash in between leaves a key without its certificate, which
    /// ``NodeIdentity/load(from:node:now:)`` reports; writing again repairs it.
    ///
    /// - Parameters:
    ///   - folder: Made if needed, 0755 so that the machines' user can reach `qemu/`.
    ///   - machineGroup: The group of the user that QEMU runs as; it alone may read `qemu/`, besides root. nil leaves the caller's.
    public func write(to folder: String, machineGroup: UInt32? = nil) throws(IdentityError) {
        try SafeFile.makeFolder(folder, mode: 0o755)
        try SafeFile.write(api.keyPEM, to: "\(folder)/\(IdentityFolder.nodeKey)", mode: 0o600)
        try SafeFile.write(api.certificatePEM, to: "\(folder)/\(IdentityFolder.nodeCertificate)", mode: 0o644)
        try SafeFile.write(api.authorityPEM, to: "\(folder)/\(IdentityFolder.authority)", mode: 0o644)

        let qemu = "\(folder)/\(IdentityFolder.qemu)"
        try SafeFile.makeFolder(qemu, mode: 0o750, group: machineGroup)
        // A node sends memory as a TLS client and receives it as a server; QEMU wants a file name for each, the content may be one.
        for key in [IdentityFolder.serverKey, IdentityFolder.clientKey] {
            try SafeFile.write(stream.keyPEM, to: "\(qemu)/\(key)", mode: 0o640, group: machineGroup)
        }
        for certificate in [IdentityFolder.serverCertificate, IdentityFolder.clientCertificate] {
            try SafeFile.write(stream.certificatePEM, to: "\(qemu)/\(certificate)", mode: 0o640, group: machineGroup)
        }
        try SafeFile.write(stream.authorityPEM, to: "\(qemu)/\(IdentityFolder.authority)", mode: 0o640, group: machineGroup)
        try SafeFile.write(IdentityFolder.ffdhe2048, to: "\(qemu)/\(IdentityFolder.groupParameters)", mode: 0o640, group: machineGroup)
    }
}

/// A node's identity as loaded and checked: what the API's TLS needs, and where QEMU finds its own.
public struct NodeIdentity: Hashable, Sendable {
    public let node: String
    public let cluster: String
    /// The cluster root that peers' certificates must be signed by, PEM.
    public let authorityPEM: String
    public let certificatePEM: String
    public let keyPEM: String
    /// The first moment at which one of its certificates, or the authority, is no longer valid.
    public let expires: Date
    /// The `dir=` of QEMU's `tls-creds-x509`.
    public let qemuFolder: String

    /// The `priority=` of QEMU's `tls-creds-x509` (GnuTLS priority string): TLS 1.3 only. Why no cipher is named is in
    /// Docs/decisions/tls-for-memory-streams.md.
    public static let streamPriority = "NORMAL:-VERS-ALL:+VERS-TLS1.3"

    /// Loads the folder that ``NodeCredentials/write(to:machineGroup:)`` wrote and checks all of it, QEMU's part included.
    ///
    /// - Parameters:
    ///   - node: The node that this is; the certificates must be issued to it.
    ///   - now: The time at which they must be valid.
    /// - Throws: ``IdentityError``: file missing, empty, damaged or readable by others, key of another certificate, expired, signed
    ///   by another authority, or issued to another node.
    public static func load(from folder: String, node: String, now: Date) throws(IdentityError) -> NodeIdentity {
        let api = try Leaf(
            folder: folder, certificate: IdentityFolder.nodeCertificate, key: IdentityFolder.nodeKey, role: .node, name: node, now: now)
        let qemu = "\(folder)/\(IdentityFolder.qemu)"
        var expires = api.expires
        for (certificate, key) in [
            (IdentityFolder.serverCertificate, IdentityFolder.serverKey), (IdentityFolder.clientCertificate, IdentityFolder.clientKey),
        ] {
            let leaf = try Leaf(
                folder: qemu, certificate: certificate, key: key, role: .memoryStream, name: node, groupMayRead: true, now: now)
            guard leaf.holder.cluster == api.holder.cluster else {
                throw .wrongHolder(
                    path: "\(qemu)/\(certificate)", expected: "a node of cluster \(api.holder.cluster)", found: "\(leaf.holder)")
            }
            expires = min(expires, leaf.expires)
        }
        return NodeIdentity(
            node: node, cluster: api.holder.cluster, authorityPEM: try pem(api.authority),
            certificatePEM: try api.pair.certificatePEM(), keyPEM: api.pair.keyPEM, expires: expires, qemuFolder: qemu)
    }

    /// A sentence for the operator when a certificate ends within 30 days of `now`; otherwise nil.
    public func renewalAdvice(now: Date) -> String? {
        let days = Int(expires.timeIntervalSince(now) / 86_400)
        guard days < 30 else { return nil }
        return "The certificates of node \(node) expire in \(max(days, 0)) days. Issue new ones with the cluster's authority before then."
    }
}

/// An administrator's identity, for the CLI.
public struct AdministratorIdentity: Hashable, Sendable {
    public let administrator: String
    public let cluster: String
    public let authorityPEM: String
    public let certificatePEM: String
    public let keyPEM: String
    public let expires: Date

    /// Loads the folder that ``CertificateWithKey/writeAdministrator(to:)`` wrote, with the same checks as a node's.
    public static func load(from folder: String, now: Date) throws(IdentityError) -> AdministratorIdentity {
        let leaf = try Leaf(
            folder: folder, certificate: IdentityFolder.administratorCertificate, key: IdentityFolder.administratorKey,
            role: .administrator, name: nil, now: now)
        return AdministratorIdentity(
            administrator: leaf.holder.name, cluster: leaf.holder.cluster, authorityPEM: try pem(leaf.authority),
            certificatePEM: try leaf.pair.certificatePEM(), keyPEM: leaf.pair.keyPEM, expires: leaf.expires)
    }
}

extension CertificateWithKey {
    /// Writes an administrator's folder: `ca-cert.pem`, `admin-cert.pem`, `admin-key.pem` (0600).
    public func writeAdministrator(to folder: String) throws(IdentityError) {
        try SafeFile.makeFolder(folder, mode: 0o700)
        try SafeFile.write(keyPEM, to: "\(folder)/\(IdentityFolder.administratorKey)", mode: 0o600)
        try SafeFile.write(certificatePEM, to: "\(folder)/\(IdentityFolder.administratorCertificate)", mode: 0o644)
        try SafeFile.write(authorityPEM, to: "\(folder)/\(IdentityFolder.authority)", mode: 0o644)
    }
}

/// A certificate, its key and its authority from one folder, all checks passed.
private struct Leaf {
    let authority: Certificate
    let pair: KeyPair
    let holder: Holder
    var expires: Date { min(pair.certificate.notValidAfter, authority.notValidAfter) }

    init(
        folder: String, certificate: String, key: String, role: Role, name: String?, groupMayRead: Bool = false, now: Date
    ) throws(IdentityError) {
        let authorityPath = "\(folder)/\(IdentityFolder.authority)"
        let certificatePath = "\(folder)/\(certificate)"
        authority = try IdentityFolder.root(authorityPath, now: now)
        pair = try IdentityFolder.keyPair(certificate: certificatePath, key: "\(folder)/\(key)", groupMayRead: groupMayRead)
        holder = try IdentityFolder.check(
            pair.certificate, path: certificatePath, authority: authority, authorityPath: authorityPath, role: role, name: name, now: now)
    }
}
