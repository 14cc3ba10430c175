import Crypto
import FoundationEssentials
import SwiftASN1
import X509

/// A certificate, its private key, and the authority that signed it; all as PEM text, ready for files.
public struct CertificateWithKey: Hashable, Sendable {
    /// The certificate of the authority that signed ``certificatePEM``.
    public let authorityPEM: String
    public let certificatePEM: String
    /// The private key, PKCS #8.
    public let keyPEM: String
    /// The last moment it is valid.
    public let expires: Date

    /// As it came from the node that issued it. Whether it is in order is checked when a folder of it is loaded.
    public init(authorityPEM: String, certificatePEM: String, keyPEM: String, expires: Date) {
        self.authorityPEM = authorityPEM
        self.certificatePEM = certificatePEM
        self.keyPEM = keyPEM
        self.expires = expires
    }

    /// What names the certificate: its serial number, as ``Holder/serial`` has it, and its SHA-256 fingerprint, hexadecimal.
    public func names() throws(IdentityError) -> (serial: String, fingerprint: String) {
        do {
            let certificate = try Certificate(pemEncoded: certificatePEM)
            return (certificate.serialText, hexadecimal(try certificate.fingerprint()))
        } catch { throw .malformed(path: "an issued certificate", expected: "a certificate", reason: "\(error)") }
    }
}

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }.joined()
}

/// A certificate with the private key that belongs to it.
struct KeyPair: Sendable {
    let certificate: Certificate
    let key: P256.Signing.PrivateKey

    func certificatePEM() throws(IdentityError) -> String { try pem(certificate) }
    // OpenSSL, BoringSSL and GnuTLS all read PKCS #8, which is what swift-crypto writes.
    var keyPEM: String { key.pemRepresentation + "\n" }
}

func pem(_ certificate: Certificate) throws(IdentityError) -> String {
    do { return try certificate.serializeAsPEM().pemString + "\n" } catch {
        throw .cryptography(action: "encode a certificate", reason: "\(error)")
    }
}

extension Certificate {
    /// The serial number, hexadecimal.
    var serialText: String { hexadecimal(serialNumber.bytes) }

    /// SHA-256 over its DER form.
    func fingerprint() throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.serialize(self)
        return Array(SHA256.hash(data: serializer.serializedBytes))
    }

    /// The first common name of the subject, as text.
    var commonName: String? { subject.firstValue(of: .RDNAttributeType.commonName) }

    var isAuthority: Bool {
        guard case .isCertificateAuthority = try? extensions.basicConstraints else { return false }
        return true
    }

    /// Whether `authority` signed this certificate. Names alone prove nothing: two clusters may be called alike.
    func isSigned(by authority: Certificate) -> Bool {
        issuer == authority.subject && authority.publicKey.isValidSignature(signature, for: self)
    }

    /// The DNS names it was issued for.
    var dnsNames: [String] {
        guard let names = try? extensions.subjectAlternativeNames else { return [] }
        return names.compactMap { name in if case .dnsName(let text) = name { text } else { nil } }
    }

    func checkValidity(at now: Date, path: String) throws(IdentityError) {
        guard now >= notValidBefore else { throw .notYetValid(path: path, from: notValidBefore) }
        guard now <= notValidAfter else { throw .expired(path: path, since: notValidAfter) }
    }
}

extension DistinguishedName {
    func firstValue(of type: ASN1ObjectIdentifier) -> String? {
        for relativeName in self {
            for attribute in relativeName where attribute.type == type {
                return String(describing: attribute.value)
            }
        }
        return nil
    }
}
