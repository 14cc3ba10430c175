import Crypto
import FoundationEssentials
import X509

/// The certificate of a node that belongs to no cluster: signed by itself, so that nobody but the holder of a token, which bears its
/// fingerprint, has a reason to trust it.
public struct FreeNodeIdentity: Hashable, Sendable {
    public let certificatePEM: String
    public let keyPEM: String
    /// SHA-256 of the certificate's DER form.
    public let fingerprint: [UInt8]

    static let certificateFile = "free-cert.pem"
    static let keyFile = "free-key.pem"
    /// Renewed when less than this is left; far longer than any token lasts.
    static let shortest: TimeInterval = 7 * 86_400

    /// Loads the certificate of a folder, or makes one there when there is none, or it is damaged, about to expire, or of another name.
    ///
    /// It vouches for nothing by itself, so making a new one loses no more than the tokens that were shown before.
    ///
    /// - Throws: ``IdentityError/unwritable(path:reason:)`` or ``IdentityError/cryptography(action:reason:)``.
    public static func loadOrCreate(in folder: String, node: String, now: Date) throws(IdentityError) -> FreeNodeIdentity {
        guard CertificateAuthority.isLabel(node) else { throw .unusableName(node, what: "node") }
        let (certificatePath, keyPath) = ("\(folder)/\(certificateFile)", "\(folder)/\(keyFile)")
        if let pair = try? IdentityFolder.keyPair(certificate: certificatePath, key: keyPath), pair.certificate.commonName == node,
            pair.certificate.notValidBefore <= now, pair.certificate.notValidAfter.timeIntervalSince(now) > shortest
        {
            return try FreeNodeIdentity(pair)
        }
        let pair = try make(node: node, now: now)
        try SafeFile.makeFolder(folder, mode: 0o700)
        try SafeFile.write(pair.keyPEM, to: keyPath, mode: 0o600)
        try SafeFile.write(try pair.certificatePEM(), to: certificatePath, mode: 0o644)
        return try FreeNodeIdentity(pair)
    }

    private init(_ pair: KeyPair) throws(IdentityError) {
        certificatePEM = try pair.certificatePEM()
        keyPEM = pair.keyPEM
        do { fingerprint = try pair.certificate.fingerprint() } catch {
            throw .cryptography(action: "encode a certificate", reason: "\(error)")
        }
    }

    /// SHA-256 of a certificate as TLS carries it.
    public static func fingerprint(ofDER bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

    private static func make(node: String, now: Date) throws(IdentityError) -> KeyPair {
        let key = P256.Signing.PrivateKey()
        let publicKey = Certificate.PublicKey(key.publicKey)
        do {
            let name = try DistinguishedName {
                OrganizationName("Apus")
                // No role of ours: it must open nothing, wherever it is shown.
                OrganizationalUnitName("free node")
                CommonName(node)
            }
            let certificate = try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
                notValidBefore: now.addingTimeInterval(-CertificateAuthority.Validity.clockAllowance),
                notValidAfter: now.addingTimeInterval(365 * 86_400), issuer: name, subject: name,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    KeyUsage(digitalSignature: true)
                    try ExtendedKeyUsage([.serverAuth])
                    SubjectKeyIdentifier(hash: publicKey)
                }, issuerPrivateKey: Certificate.PrivateKey(key))
            return KeyPair(certificate: certificate, key: key)
        } catch {
            throw .cryptography(action: "make a certificate for \(node)", reason: "\(error)")
        }
    }
}
