import Crypto
import Foundation
import SwiftASN1
import X509

/// Where a node keeps who it is.
///
///     ca-cert.pem node-cert.pem node-key.pem         for the API; the key is mode 0600
///     qemu/ca-cert.pem                               for memory streams, in the layout of QEMU's tls-creds-x509
///     qemu/{server,client}-{cert,key}.pem            (docs/system/tls.rst); readable by the group that QEMU runs as
public struct IdentityFolder: Sendable {
    public let path: String
    public init(path: String) { self.path = path }

    /// Writes everything; each file is replaced as a whole and synced.
    ///
    /// - Parameter machineGroup: The group that QEMU's user belongs to; it may read the files under `qemu/`.
    public func write(
        _ issued: IssuedCertificate, authority: CertificateAuthority, machineGroup: gid_t
    ) throws(IdentityError) {
        try makeFolder(path, mode: 0o755, group: nil)
        try makeFolder(path + "/qemu", mode: 0o750, group: machineGroup)
        let authorityPEM: String
        do { authorityPEM = try authority.certificate.serializeAsPEM().pemString + "\n" } catch { throw .encoding("\(error)") }
        let certificatePEM = try issued.certificatePEM
        try replace("ca-cert.pem", authorityPEM, mode: 0o644)
        try replace("node-key.pem", issued.keyPEM, mode: 0o600)
        try replace("node-cert.pem", certificatePEM, mode: 0o644)
        try replace("qemu/ca-cert.pem", authorityPEM, mode: 0o640, group: machineGroup)
        for role in ["server", "client"] {
            try replace("qemu/\(role)-key.pem", issued.keyPEM, mode: 0o640, group: machineGroup)
            try replace("qemu/\(role)-cert.pem", certificatePEM, mode: 0o640, group: machineGroup)
        }
    }

    /// Reads the folder and checks that it can be used.
    ///
    /// - Throws: ``IdentityError`` that names the file and what to do: unreadable, malformed, expired, key and certificate that do not belong
    ///   together, another authority, another node's name.
    public func load(expecting node: String, now: Date = Date()) throws(IdentityError) -> Identity {
        let authority = try certificate("ca-cert.pem")
        let own = try certificate("node-cert.pem")
        let key: P256.Signing.PrivateKey
        let keyText = try read("node-key.pem")
        do { key = try P256.Signing.PrivateKey(pemRepresentation: keyText) } catch {
            throw .malformed(file("node-key.pem"), "it holds no P-256 private key in PEM")
        }
        guard own.publicKey == Certificate.PublicKey(key.publicKey) else { throw .keyMismatch(file("node-cert.pem"), file("node-key.pem")) }
        guard authority.publicKey.isValidSignature(own.signature, for: own), own.issuer == authority.subject else {
            throw .foreignAuthority(file("node-cert.pem"), file("ca-cert.pem"))
        }
        for (name, certificate) in [("ca-cert.pem", authority), ("node-cert.pem", own)] {
            guard now < certificate.notValidAfter else { throw .expired(file(name), certificate.notValidAfter) }
            guard now >= certificate.notValidBefore else { throw .notYetValid(file(name), certificate.notValidBefore) }
        }
        let names = Self.dnsNames(of: own)
        guard names.contains(node) else { throw .wrongNode(file("node-cert.pem"), expected: node, found: names) }
        return Identity(authority: authority, certificate: own)
    }

    static func dnsNames(of certificate: Certificate) -> [String] {
        guard let names = try? certificate.extensions.subjectAlternativeNames else { return [] }
        return names.compactMap { name in if case .dnsName(let text) = name { text } else { nil } }
    }

    private func certificate(_ name: String) throws(IdentityError) -> Certificate {
        let text = try read(name)
        do { return try Certificate(pemEncoded: text) } catch { throw .malformed(file(name), "it holds no certificate in PEM") }
    }

    private func file(_ name: String) -> String { path + "/" + name }

    /// PEM files are small; what is not is no PEM file.
    private static let sizeLimit = 64 << 10

    private func read(_ name: String) throws(IdentityError) -> String {
        guard let data = FileManager.default.contents(atPath: file(name)) else { throw .unreadable(file(name)) }
        guard data.count <= Self.sizeLimit, let text = String(data: data, encoding: .utf8) else {
            throw .malformed(file(name), "it is no text of PEM size")
        }
        return text
    }

    private func makeFolder(_ path: String, mode: mode_t, group: gid_t?) throws(IdentityError) {
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) } catch {
            throw .unwritable(path, "\(error)")
        }
        guard chmod(path, mode) == 0, group.map({ chown(path, uid_t.max, $0) == 0 }) ?? true else {
            throw .unwritable(path, String(cString: strerror(errno)))
        }
    }

    private func replace(_ name: String, _ text: String, mode: mode_t, group: gid_t? = nil) throws(IdentityError) {
        let target = file(name)
        let temporary = target + ".new"
        unlink(temporary)
        // The mode is set at creation: a key is never readable by others, not even for a moment.
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .unwritable(target, String(cString: strerror(errno))) }
        var failed = group.map { fchown(descriptor, uid_t.max, $0) != 0 } ?? false
        let bytes = Array(text.utf8)
        failed = failed || fchmod(descriptor, mode) != 0 || Glibc.write(descriptor, bytes, bytes.count) != bytes.count
            || fsync(descriptor) != 0
        let reason = String(cString: strerror(errno))
        Glibc.close(descriptor)
        guard !failed, rename(temporary, target) == 0 else { throw .unwritable(target, reason) }
    }
}

/// A checked identity.
public struct Identity: Sendable {
    public let authority: Certificate
    public let certificate: Certificate
    /// When the node's certificate has to be renewed.
    public var expires: Date { certificate.notValidAfter }
}
