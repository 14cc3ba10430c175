import Crypto
import FoundationEssentials
import Glibc

/// What a node shows its administrator, to be carried by hand to the node that shall take it into a cluster.
///
/// It tells where the node is, which certificate it will show there, and a secret that proves who carries it saw the node's terminal.
/// So neither side has to trust the network in between. Written as `apus1` followed by base32 (RFC 4648 section 6, lower case, no
/// padding): one word for a double click, letters and digits only, the same in any case. The last four bytes are a checksum.
public struct NodeToken: Hashable, Sendable {
    /// The name the node says it bears.
    public var node: String
    /// IPv4 or IPv6 address on the cluster network.
    public var address: String
    public var port: UInt16
    /// SHA-256 of the certificate (DER) that the node shows.
    public var fingerprint: [UInt8]
    public var secret: [UInt8]
    /// By the clock of the node that made it; whole seconds.
    public var expires: Date

    public static let secretByteCount = 16
    public static let fingerprintByteCount = SHA256.byteCount

    public init(node: String, address: String, port: UInt16, fingerprint: [UInt8], secret: [UInt8], expires: Date) {
        precondition(fingerprint.count == Self.fingerprintByteCount && secret.count == Self.secretByteCount)
        self.node = node
        self.address = address
        self.port = port
        self.fingerprint = fingerprint
        self.secret = secret
        self.expires = expires
    }

    /// The form that is copied.
    ///
    /// - Throws: ``IdentityError/unusableAddress(_:node:)`` or ``IdentityError/unusableName(_:what:)``.
    public func text() throws(IdentityError) -> String {
        guard CertificateAuthority.isLabel(node) else { throw .unusableName(node, what: "node") }
        guard let octets = ipOctets(address) else { throw .unusableAddress(address, node: node) }
        let seconds = UInt64(min(max(expires.timeIntervalSince1970.rounded(), 0), 1e12))
        var bytes: [UInt8] = (0..<6).reversed().map { UInt8(truncatingIfNeeded: seconds >> (8 * $0)) }
        bytes += [UInt8(port >> 8), UInt8(truncatingIfNeeded: port), UInt8(octets.count)]
        bytes += octets + secret + fingerprint + Array(node.utf8)
        return Self.prefix + Base32.text(of: bytes + Self.checksum(bytes))
    }

    /// Reads a token that somebody copied. Spaces and line ends in it are left out.
    ///
    /// - Throws: ``TokenError`` that says what is wrong with the text.
    public init(_ text: String) throws(TokenError) {
        guard text.utf8.count <= Self.longestText else { throw .notAToken }
        let letters = text.lowercased().filter { !$0.isWhitespace }
        guard letters.hasPrefix("apus") else { throw .notAToken }
        guard letters.hasPrefix(Self.prefix) else { throw .otherVersion }
        guard let all = Base32.bytes(of: letters.dropFirst(Self.prefix.count)), all.count > Self.checksumByteCount,
            all.count <= Self.longest
        else { throw .mistyped }
        let bytes = all.dropLast(Self.checksumByteCount)
        guard Array(all.suffix(Self.checksumByteCount)) == Self.checksum(Array(bytes)) else { throw .mistyped }
        // The checksum says that it was copied whole; what is wrong from here on was made wrong.
        var rest = bytes[...]
        func take(_ count: Int) throws(TokenError) -> [UInt8] {
            guard rest.count >= count else { throw .mistyped }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        let seconds = try take(6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let port = try take(2).reduce(UInt16(0)) { $0 << 8 | UInt16($1) }
        let length = Int(try take(1)[0])
        guard length == 4 || length == 16, let address = ipText(try take(length)) else { throw .mistyped }
        let secret = try take(Self.secretByteCount)
        let fingerprint = try take(Self.fingerprintByteCount)
        guard let node = String(validating: rest, as: UTF8.self), CertificateAuthority.isLabel(node), port > 0 else { throw .mistyped }
        self.init(
            node: node, address: address, port: port, fingerprint: fingerprint, secret: secret,
            expires: Date(timeIntervalSince1970: Double(seconds)))
    }

    private static let prefix = "apus1"
    private static let checksumByteCount = 4
    /// A name of 63 letters and an IPv6 address.
    private static let longest = 6 + 2 + 1 + 16 + secretByteCount + fingerprintByteCount + 63 + checksumByteCount
    private static let longestText = 1_024

    private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: Array("apus join token".utf8) + bytes).prefix(checksumByteCount))
    }
}

/// Why a text is no token that can be used.
public enum TokenError: Error, Hashable, CustomStringConvertible {
    case notAToken
    case otherVersion
    case mistyped

    public var description: String {
        switch self {
        case .notAToken: "This is no token. It begins with apus1; `apus node token` prints one on the node that shall join."
        case .otherVersion:
            "This token was made by another version of Apus. Install the same version on all nodes, then make a new token."
        case .mistyped: "The token is incomplete or mistyped. Copy the whole word that `apus node token` printed."
        }
    }
}

/// RFC 4648 section 6, lower case, without padding.
enum Base32 {
    private static let digits = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

    static func text(of bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var (buffer, bits) = (UInt32(0), 0)
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(digits[Int(buffer >> UInt32(bits) & 31)])
            }
        }
        if bits > 0 { text.append(digits[Int(buffer << UInt32(5 - bits) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// - Returns: nil for other characters, or when the bits that are left over are not zero.
    static func bytes(of text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (buffer, bits) = (UInt32(0), 0)
        for letter in text.utf8 {
            let digit: UInt8
            switch letter {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = letter - UInt8(ascii: "a")
            case UInt8(ascii: "2")...UInt8(ascii: "7"): digit = letter - UInt8(ascii: "2") + 26
            default: return nil
            }
            buffer = (buffer << 5 | UInt32(digit)) & 0xFFFF
            bits += 5
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
            }
        }
        guard bits < 5, buffer & (1 << UInt32(bits) - 1) == 0 else { return nil }
        return bytes
    }
}

/// The text of an IPv4 or IPv6 address in network order.
func ipText(_ octets: [UInt8]) -> String? {
    let family = octets.count == 4 ? AF_INET : AF_INET6
    guard octets.count == 4 || octets.count == 16 else { return nil }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(family, octets, &text, socklen_t(text.count)) != nil else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
