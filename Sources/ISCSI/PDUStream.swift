/// Where the PDUs in a target's bytes begin and end (RFC 7143 section 11.2.1, no digests), and which of them ask for a sign of life.
struct PDUStream {
    static let headerByteCount = 48
    /// What is still to come of the PDU under way.
    private var rest = 0

    /// How many of the next bytes libiscsi may have: all PDUs that have begun, up to a question that must wait.
    ///
    /// - Parameter mayAsk: A question that comes next may be handed on, alone and whole.
    func passable(_ bytes: UnsafeRawBufferPointer, mayAsk: Bool) -> Int {
        var end = rest
        while end + Self.headerByteCount <= bytes.count {
            let header = UnsafeRawBufferPointer(rebasing: bytes[end..<end + Self.headerByteCount])
            if Self.isQuestion(header) { return end == 0 && mayAsk ? Self.headerByteCount : end }
            end += Self.byteCount(of: header)
        }
        // A header that is not complete stays, because nobody knows yet what it begins.
        return min(end, bytes.count)
    }

    /// The first `count` of `bytes` have been handed on, as ``passable(_:mayAsk:)`` allowed.
    mutating func advance(over count: Int, of bytes: UnsafeRawBufferPointer) {
        var end = rest
        while end < count { end += Self.byteCount(of: UnsafeRawBufferPointer(rebasing: bytes[end..<end + Self.headerByteCount])) }
        rest = end - count
    }

    /// At most 16 MiB and a little: the lengths in a header have 24 and 8 bits.
    private static func byteCount(of header: UnsafeRawBufferPointer) -> Int {
        let data = Int(header[5]) << 16 | Int(header[6]) << 8 | Int(header[7])
        return headerByteCount + Int(header[4]) * 4 + (data + 3) & ~3
    }

    /// A NOP-In that the target sends by itself and that wants an answer: no initiator task tag, but a tag of the target (RFC 7143
    /// section 11.19). It carries no data.
    private static func isQuestion(_ header: UnsafeRawBufferPointer) -> Bool {
        header[0] & 0x3f == 0x20 && byteCount(of: header) == headerByteCount
            && header[16..<20].allSatisfy { $0 == 0xff } && header[20..<24].contains { $0 != 0xff }
    }
}
