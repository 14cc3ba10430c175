import Glibc
import NIOCore

/// Cuts the byte stream of a monitor into lines. QEMU ends each message with CR LF (qmp-spec.txt, section 2.1) and puts no
/// line break inside one.
struct QMPLineDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    /// The longest line that is accepted, in bytes. The longest known reply of QEMU 7.2, `query-qmp-schema`, has 0.2 MB.
    static let maximumLineBytes = 16 << 20

    struct LineTooLong: Error {}

    private let limit: Int
    /// Bytes of the unfinished line that hold no line feed, so that each byte is looked at once however it arrives.
    private var scanned = 0

    init(limit: Int = maximumLineBytes) { self.limit = limit }

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let line = try nextLine(in: &buffer) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(line))
        return .continue
    }

    /// What is left at the end is a message that was cut; it carries no meaning.
    mutating func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
        let state = try decode(context: context, buffer: &buffer)
        if case .needMoreData = state { buffer.moveReaderIndex(forwardBy: buffer.readableBytes) }
        return state
    }

    mutating func nextLine(in buffer: inout ByteBuffer) throws(LineTooLong) -> ByteBuffer? {
        let found = buffer.withUnsafeReadableBytes { bytes -> Int? in
            // memchr, because a loop over bytes is slow without optimisation, and hostile lines are long.
            guard bytes.count > scanned, let start = bytes.baseAddress else { return nil }
            let lineFeed = memchr(start + scanned, CInt(UInt8(ascii: "\n")), bytes.count - scanned)
            return lineFeed.map { UnsafeRawPointer($0) - start }
        }
        guard let length = found else {
            scanned = buffer.readableBytes
            guard scanned <= limit else { throw LineTooLong() }
            return nil
        }
        guard length <= limit else { throw LineTooLong() }
        scanned = 0
        let line = buffer.readSlice(length: length)
        buffer.moveReaderIndex(forwardBy: 1)
        return line
    }
}
