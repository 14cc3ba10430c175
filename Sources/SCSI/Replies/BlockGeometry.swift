/// READ CAPACITY(16) (SBC-3 5.16.2).
public struct ReadCapacity: Hashable, Sendable {
    public var blockCount: UInt64
    public var blockByteCount: Int
    /// The device gives out space when blocks are written and can take it back (LBPME).
    public var isThin: Bool
    /// Blocks that were taken back read as zeros (LBPRZ).
    public var unmappedReadsZero: Bool

    /// - Throws: ``MalformedData`` also for block sizes other than 512 and 4096 and capacities beyond 2^63 bytes.
    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "READ CAPACITY(16) data")
        let last: UInt64 = try reader.integer(at: 0)
        let size: UInt32 = try reader.integer(at: 8)
        let provisioning = try reader.byte(at: 14)
        guard size == 512 || size == 4_096 else { throw reader.malformed("a block size of \(size); 512 and 4096 are supported") }
        guard last < UInt64(Int64.max) / UInt64(size) else { throw reader.malformed("a last block of \(last)") }
        blockCount = last + 1
        blockByteCount = Int(size)
        isThin = provisioning & 0x80 != 0
        unmappedReadsZero = provisioning & 0x40 != 0
    }
}

/// VPD page B0h (SBC-3 6.6.3): how much one command may ask for. Zero in the page means "not reported" and is nil here.
public struct BlockLimits: Hashable, Sendable {
    public var maximumTransferBlocks: UInt32?
    public var optimalTransferBlocks: UInt32?
    public var maximumWriteSameBlocks: UInt64?

    public init(maximumTransferBlocks: UInt32? = nil, optimalTransferBlocks: UInt32? = nil, maximumWriteSameBlocks: UInt64? = nil) {
        self.maximumTransferBlocks = maximumTransferBlocks
        self.optimalTransferBlocks = optimalTransferBlocks
        self.maximumWriteSameBlocks = maximumWriteSameBlocks
    }

    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let body = try VitalProductData(parsing: bytes, page: .blockLimits).body
        let reader = ByteReader(body, subject: "VPD page b0h")
        func reported<T: FixedWidthInteger>(_ offset: Int) -> T? {
            // Older devices send a shorter page: what is missing is not reported.
            guard let value: T = try? reader.integer(at: offset), value > 0 else { return nil }
            return value
        }
        maximumTransferBlocks = reported(4)
        optimalTransferBlocks = reported(8)
        maximumWriteSameBlocks = reported(32)
    }
}
