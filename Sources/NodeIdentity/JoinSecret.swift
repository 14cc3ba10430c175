import Crypto
import FoundationEssentials

/// The hash of a secret that somebody may show: enough to check it, of no use to whoever reads it.
public struct JoinSecret: Hashable, Sendable {
    /// SHA-256 of the secret.
    public let digest: [UInt8]

    public init(_ secret: some Sequence<UInt8>) { digest = Array(SHA256.hash(data: Array(secret))) }
    public init(digest: [UInt8]) { self.digest = digest }

    /// Whether these bytes are the secret. Takes as long whether the first byte is wrong or only the last: swift-crypto compares a
    /// digest in constant time.
    public func matches(_ bytes: some Sequence<UInt8>) -> Bool { SHA256.hash(data: Array(bytes)) == digest }

    /// Bytes from the system's generator of random numbers, which is made for secrets (getrandom(2)).
    public static func random(byteCount: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
