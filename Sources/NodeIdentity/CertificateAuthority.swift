import Crypto
import FoundationEssentials
import SwiftASN1
import X509

/// The authority that vouches for the members of one cluster.
///
/// It has two roots. The *cluster root* signs what speaks to the API: nodes and administrators. The *stream root* signs only what
/// QEMU uses for memory streams. QEMU runs as an unprivileged user that must be able to read its own key; because that key is
/// from another root, somebody who broke out of a guest cannot speak to the API as a node with it, and an administrator's
/// certificate does not open a port that accepts guest memory.
///
/// All keys are ECDSA P-256: TLS 1.3 and GnuTLS, BoringSSL and OpenSSL all have it, and signing is some ten times cheaper than RSA-2048.
public struct CertificateAuthority: Sendable {
    /// The name of the cluster it belongs to.
    public let cluster: String
    let clusterRoot: KeyPair
    let streamRoot: KeyPair

    /// How long certificates are valid.
    public enum Validity {
        static let authorityYears = 10
        static let leafYears = 2
        /// Clocks of nodes differ; a certificate issued now must be valid on a node whose clock is behind.
        static let clockAllowance: TimeInterval = 3_600
        /// An authority that ends sooner than this issues nothing more.
        static let shortestLeaf: TimeInterval = 86_400
    }

    /// The certificate that API clients and servers trust, PEM.
    public func clusterRootPEM() throws(IdentityError) -> String { try clusterRoot.certificatePEM() }

    /// A new authority with new keys.
    ///
    /// - Parameters:
    ///   - cluster: The name of the cluster, up to 63 lower-case letters, digits and hyphens.
    ///   - now: When it starts to be valid, less an hour for clocks that differ.
    /// - Throws: ``IdentityError/unusableName(_:what:)`` or ``IdentityError/cryptography(action:reason:)``.
    public static func create(cluster: String, now: Date) throws(IdentityError) -> CertificateAuthority {
        guard isLabel(cluster) else { throw .unusableName(cluster, what: "cluster") }
        return CertificateAuthority(
            cluster: cluster, clusterRoot: try makeRoot(cluster: cluster, unit: "cluster root", now: now),
            streamRoot: try makeRoot(cluster: cluster, unit: "stream root", now: now))
    }

    /// A certificate for a node's API server and its calls to other nodes, and one for its memory streams.
    ///
    /// - Parameters:
    ///   - node: The node's name; the certificates' DNS name.
    ///   - addresses: The node's IP addresses on the cluster and migration networks.
    /// - Throws: ``IdentityError`` when a name or address is unusable, or the authority is about to expire.
    public func issueNodeCertificate(node: String, addresses: [String], now: Date) throws(IdentityError) -> NodeCredentials {
        guard Self.isLabel(node) else { throw .unusableName(node, what: "node") }
        var names: [GeneralName] = [.dnsName(node)]
        for address in addresses {
            guard let octets = ipOctets(address) else { throw .unusableAddress(address, node: node) }
            let name = GeneralName.ipAddress(ASN1OctetString(contentBytes: octets[...]))
            if !names.contains(name) { names.append(name) }
        }
        let usages: [ExtendedKeyUsage.Usage] = [.serverAuth, .clientAuth]
        return NodeCredentials(
            node: node,
            api: try issue(from: clusterRoot, unit: Role.node.unit, name: node, alternativeNames: names, usages: usages, now: now),
            stream: try issue(
                from: streamRoot, unit: Role.memoryStream.unit, name: node, alternativeNames: names, usages: usages, now: now))
    }

    /// A certificate with which a person calls the API of any node. It cannot be used to serve, nor for memory streams.
    public func issueAdministratorCertificate(administrator: String, now: Date) throws(IdentityError) -> CertificateWithKey {
        guard Self.isLabel(administrator) else { throw .unusableName(administrator, what: "administrator") }
        return try issue(
            from: clusterRoot, unit: Role.administrator.unit, name: administrator, alternativeNames: [], usages: [.clientAuth], now: now)
    }
}

extension CertificateAuthority {
    private static func makeRoot(cluster: String, unit: String, now: Date) throws(IdentityError) -> KeyPair {
        let key = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(key.publicKey)
        do {
            let name = try DistinguishedName {
                OrganizationName("Apus")
                OrganizationalUnitName(unit)
                CommonName(cluster)
            }
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
                notValidBefore: now.addingTimeInterval(-Validity.clockAllowance), notValidAfter: years(Validity.authorityYears, after: now),
                issuer: name, subject: name,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: publicKey)
                }, issuerPrivateKey: Certificate.PrivateKey(key))
            return KeyPair(certificate: certificate, key: key)
        } catch {
            throw .cryptography(action: "create the certificate authority of cluster \(cluster)", reason: "\(error)")
        }
    }

    private func issue(
        from root: KeyPair, unit: String, name: String, alternativeNames: [GeneralName], usages: [ExtendedKeyUsage.Usage], now: Date
    ) throws(IdentityError) -> CertificateWithKey {
        let authorityEnd = root.certificate.notValidAfter
        guard authorityEnd.timeIntervalSince(now) >= Validity.shortestLeaf else {
            throw .authorityExpiresFirst(cluster: cluster, at: authorityEnd)
        }
        let expires = min(Self.years(Validity.leafYears, after: now), authorityEnd)
        let key = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(key.publicKey)
        do {
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
                notValidBefore: now.addingTimeInterval(-Validity.clockAllowance), notValidAfter: expires,
                issuer: root.certificate.subject,
                subject: try DistinguishedName {
                    OrganizationName(cluster)
                    OrganizationalUnitName(unit)
                    CommonName(name)
                },
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    // Not critical on purpose: many QEMU versions refuse a *critical* key usage without key encipherment, which
                    // RFC 8813 forbids for ECDSA keys.
                    KeyUsage(digitalSignature: true)
                    try ExtendedKeyUsage(usages)
                    SubjectKeyIdentifier(hash: publicKey)
                    AuthorityKeyIdentifier(keyIdentifier: try root.certificate.extensions.subjectKeyIdentifier?.keyIdentifier)
                    if !alternativeNames.isEmpty { SubjectAlternativeNames(alternativeNames) }
                }, issuerPrivateKey: Certificate.PrivateKey(root.key))
            return CertificateWithKey(
                authorityPEM: try root.certificatePEM(), certificatePEM: try pem(certificate),
                keyPEM: KeyPair(certificate: certificate, key: key).keyPEM, expires: certificate.notValidAfter)
        } catch {
            throw .cryptography(action: "issue a certificate to \(name)", reason: "\(error)")
        }
    }

    private static func years(_ count: Int, after now: Date) -> Date { now.addingTimeInterval(Double(count) * 365 * 86_400) }

    /// A DNS label (RFC 1123 section 2.1), lower case: what nodes, clusters and administrators may be called.
    static func isLabel(_ text: String) -> Bool {
        let allowed = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "-")
        }
        return allowed && (1...63).contains(text.utf8.count) && text.first != "-" && text.last != "-"
    }
}
