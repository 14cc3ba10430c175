import Foundation

/// An address with the length of its network's prefix.
public struct IPNetwork: Hashable, Sendable {
    /// 4 or 16, in network order.
    public let bytes: [UInt8]
    public let length: Int

    init?(bytes: [UInt8], length: Int) {
        guard bytes.count == 4 || bytes.count == 16, (0...bytes.count * 8).contains(length) else { return nil }
        self.bytes = bytes
        self.length = length
    }

    /// - Parameter text: `10.0.1.11/24`, `fd00::1/64`, or an address alone, which is a network of its own.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let bytes = Self.parse(String(first)) else { return nil }
        guard parts.count == 2 else {
            self.init(bytes: bytes, length: bytes.count * 8)
            return
        }
        guard let length = Int(parts[1]) else { return nil }
        self.init(bytes: bytes, length: length)
    }

    private static func parse(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 64, !text.utf8.contains(0) else { return nil }
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
        var sixteen = in6_addr()
        if inet_pton(AF_INET6, text, &sixteen) == 1 { return withUnsafeBytes(of: &sixteen) { Array($0) } }
        return nil
    }

    public var addressText: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `10.0.1.0/24`.
    public var networkText: String {
        var masked = bytes
        for index in masked.indices {
            let bits = min(max(length - index * 8, 0), 8)
            masked[index] &= bits == 0 ? 0 : UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
        }
        return "\(IPNetwork(bytes: masked, length: length)?.addressText ?? "?")/\(length)"
    }
}
