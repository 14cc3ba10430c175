import Crypto
import Foundation
import SwiftASN1
import X509

/// The certificate authority of one cluster: whoever holds a certificate of it is a node or an administrator of this cluster, nobody else is.
///
/// Keys are ECDSA on P-256: GnuTLS in QEMU, BoringSSL in the API and every current tool agree on it, and handshakes are cheap.
public struct CertificateAuthority: Sendable {
    static let lifetime: TimeInterval = 10 * 365 * 86_400
    /// Of certificates for nodes and administrators.
    static let memberLifetime: TimeInterval = 2 * 365 * 86_400
    /// Clocks of nodes differ; a certificate made just now must be valid everywhere.
    static let clockTolerance: TimeInterval = 3_600

    public let certificate: Certificate
    let key: P256.Signing.PrivateKey

    /// Makes the authority of a new cluster.
    ///
    /// - Parameter now: The time its validity begins.
    /// - Throws: ``IdentityError/encoding(_:)`` for a cluster name that a certificate cannot carry.
    public static func create(cluster: String, now: Date = Date()) throws(IdentityError) -> CertificateAuthority {
        let key = P256.Signing.PrivateKey()
        do {
            let name = try DistinguishedName {
                OrganizationName("Apus")
                CommonName("\(cluster) certificate authority")
            }
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
                notValidBefore: now - clockTolerance, notValidAfter: now + lifetime, issuer: name, subject: name,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: Certificate.PublicKey(key.publicKey))
                }, issuerPrivateKey: .init(key))
            return CertificateAuthority(certificate: certificate, key: key)
        } catch { throw .encoding("\(error)") }
    }

    init(certificate: Certificate, key: P256.Signing.PrivateKey) {
        self.certificate = certificate
        self.key = key
    }

    /// A certificate for a node: server and client, because every node calls every other.
    ///
    /// - Parameters:
    ///   - node: Its name; peers and QEMU check it (RFC 6125, DNS name).
    ///   - addresses: IPv4 or IPv6 addresses on the cluster and migration networks.
    /// - Throws: ``IdentityError/badAddress(_:)``, ``IdentityError/encoding(_:)``.
    public func issueNodeCertificate(
        node: String, addresses: [String], now: Date = Date()
    ) throws(IdentityError) -> IssuedCertificate {
        var names: [GeneralName] = [.dnsName(node)]
        for address in addresses { names.append(.ipAddress(ASN1OctetString(contentBytes: try Self.bytes(of: address)[...]))) }
        return try issue(subject: node, unit: "node", names: names, usages: [.serverAuth, .clientAuth], now: now)
    }

    /// A client certificate for a person: may ask what operators ask, and nothing that only nodes may.
    public func issueAdministratorCertificate(name: String, now: Date = Date()) throws(IdentityError) -> IssuedCertificate {
        try issue(subject: name, unit: "administrator", names: [], usages: [.clientAuth], now: now)
    }

    private func issue(
        subject: String, unit: String, names: [GeneralName], usages: [ExtendedKeyUsage.Usage], now: Date
    ) throws(IdentityError) -> IssuedCertificate {
        let memberKey = P256.Signing.PrivateKey()
        do {
            let name = try DistinguishedName {
                OrganizationName("Apus")
                OrganizationalUnitName(unit)
                CommonName(subject)
            }
            let issued = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(memberKey.publicKey),
                notValidBefore: now - Self.clockTolerance, notValidAfter: min(now + Self.memberLifetime, certificate.notValidAfter),
                issuer: certificate.subject, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage(usages)
                    if !names.isEmpty { SubjectAlternativeNames(names) }
                    AuthorityKeyIdentifier(keyIdentifier: SubjectKeyIdentifier(hash: certificate.publicKey).keyIdentifier)
                }, issuerPrivateKey: .init(key))
            return IssuedCertificate(certificate: issued, key: memberKey)
        } catch { throw .encoding("\(error)") }
    }

    /// Network byte order: 4 or 16 bytes (RFC 5280 section 4.2.1.6).
    static func bytes(of address: String) throws(IdentityError) -> [UInt8] {
        var four = in_addr()
        if inet_pton(AF_INET, address, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
        var six = in6_addr()
        if inet_pton(AF_INET6, address, &six) == 1 { return withUnsafeBytes(of: &six) { Array($0) } }
        throw .badAddress(address)
    }
}

/// A certificate with its private key.
public struct IssuedCertificate: Sendable {
    public let certificate: Certificate
    let key: P256.Signing.PrivateKey

    public var certificatePEM: String {
        get throws(IdentityError) {
            do { return try certificate.serializeAsPEM().pemString + "\n" } catch { throw .encoding("\(error)") }
        }
    }
    /// Secret: write it to files of mode 0600 or 0640 only.
    public var keyPEM: String { key.pemRepresentation + "\n" }
}
