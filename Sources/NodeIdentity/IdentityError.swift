import FoundationEssentials

/// Why an identity cannot be made, written or trusted. Each description says what is wrong, in which file, and what to do.
public enum IdentityError: Error, Hashable, CustomStringConvertible {
    /// A name that cannot stand in a certificate.
    case unusableName(String, what: String)
    case unusableAddress(String, node: String)
    case unreadable(path: String, reason: String)
    case unwritable(path: String, reason: String)
    /// The file holds no PEM block of the kind that belongs there.
    case malformed(path: String, expected: String, reason: String)
    case keyReadableByOthers(path: String, mode: UInt16)
    case keyDoesNotMatch(certificate: String, key: String)
    case notYetValid(path: String, from: Date)
    case expired(path: String, since: Date)
    /// The certificate was signed by another cluster's authority, or not by an authority at all.
    case foreignAuthority(path: String, authority: String, issuer: String)
    case notAnAuthority(path: String)
    /// The certificate is in order and belongs to somebody else.
    case wrongHolder(path: String, expected: String, found: String)
    case authorityExpiresFirst(cluster: String, at: Date)
    /// The cryptographic library refused; a defect or a damaged installation.
    case cryptography(action: String, reason: String)

    public var description: String {
        switch self {
        case .unusableName(let name, let what):
            "\"\(name)\" cannot be the name of a \(what): use 1 to 63 lower-case letters, digits and hyphens, "
                + "starting and ending with a letter or digit."
        case .unusableAddress(let address, let node):
            "\"\(address)\" is no IP address, so no certificate can be made for \(node) with it. Write it as 10.1.0.11 or fd00::11."
        case .unreadable(let path, let reason):
            "Cannot read \(path): \(reason). \(Self.restore)"
        case .unwritable(let path, let reason):
            "Cannot write \(path): \(reason). Check that the folder exists, is writable for root and has room; nothing was replaced."
        case .malformed(let path, let expected, let reason):
            "\(path) does not hold \(expected) in PEM form: \(reason). \(Self.restore)"
        case .keyReadableByOthers(let path, let mode):
            "\(path) can be read by others (mode \(String(mode, radix: 8))). Run `chmod o= \(path)`, and if other people use this "
                + "machine, issue a new certificate: the key may be known."
        case .keyDoesNotMatch(let certificate, let key):
            "The key in \(key) does not belong to the certificate in \(certificate). One of them is from another node or from an "
                + "interrupted renewal. \(Self.restore)"
        case .notYetValid(let path, let from):
            "The certificate in \(path) is valid only from \(Self.text(from)) on. Check this machine's clock."
        case .expired(let path, let since):
            "The certificate in \(path) expired on \(Self.text(since)). Issue a new one with the cluster's authority; if it should "
                + "still be valid, check this machine's clock."
        case .foreignAuthority(let path, let authority, let issuer):
            "The certificate in \(path), issued by \(issuer), was not signed by the authority in \(authority). "
                + "It belongs to another cluster, or the authority was replaced. \(Self.restore)"
        case .notAnAuthority(let path):
            "The certificate in \(path) does not belong to a certificate authority. The files of a node or administrator may have "
                + "been copied over it. \(Self.restore)"
        case .wrongHolder(let path, let expected, let found):
            "The certificate in \(path) was issued to \(found), not to \(expected). Copy the files that were issued to \(expected)."
        case .authorityExpiresFirst(let cluster, let at):
            "The certificate authority of cluster \(cluster) expires on \(Self.text(at)) and issues no more certificates. "
                + "Create a new authority and issue every node a certificate from it."
        case .cryptography(let action, let reason):
            "Could not \(action): \(reason)."
        }
    }

    private static let restore = "Restore the identity folder from where it was issued, or issue a new certificate."

    private static func text(_ date: Date) -> String { date.formatted(.iso8601) }
}
