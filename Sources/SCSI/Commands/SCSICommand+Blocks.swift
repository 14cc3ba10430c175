extension SCSICommand {
    /// READ(16) (SBC-3 5.15).
    public static func read16(at block: UInt64, blockCount: UInt32, blockByteCount: Int) -> SCSICommand {
        SCSICommand(
            name: "READ(16)", descriptorBlock: blockCommand(0x88, flags: 0, at: block, blockCount: blockCount),
            transfer: .fromDevice(byteCount: Int(blockCount) * blockByteCount))
    }

    /// WRITE(16) (SBC-3 5.41).
    ///
    /// - Parameters:
    ///   - data: Whole blocks.
    ///   - forceUnitAccess: GOOD means that the data is on the medium, not in a volatile cache (SBC-3 4.15).
    public static func write16(at block: UInt64, data: [UInt8], blockByteCount: Int, forceUnitAccess: Bool) -> SCSICommand {
        precondition(data.count % blockByteCount == 0, "\(data.count) bytes are no whole blocks of \(blockByteCount)")
        return SCSICommand(
            name: "WRITE(16)",
            descriptorBlock: blockCommand(
                0x8a, flags: forceUnitAccess ? 0x08 : 0, at: block, blockCount: UInt32(data.count / blockByteCount)),
            transfer: .toDevice(data))
    }

    /// WRITE SAME(16) (SBC-3 5.47): one block, written `blockCount` times.
    ///
    /// - Parameter unmap: Lets the device free the space if it then reads as that block, else it writes.
    public static func writeSame16(at block: UInt64, blockCount: UInt32, data: [UInt8], unmap: Bool) -> SCSICommand {
        SCSICommand(
            name: "WRITE SAME(16)", descriptorBlock: blockCommand(0x93, flags: unmap ? 0x08 : 0, at: block, blockCount: blockCount),
            transfer: .toDevice(data))
    }

    /// SYNCHRONIZE CACHE(16) of the whole logical unit (SBC-3 5.36). GOOD: everything written before is on the medium.
    public static let synchronizeCache16 = SCSICommand(
        name: "SYNCHRONIZE CACHE(16)", descriptorBlock: blockCommand(0x91, flags: 0, at: 0, blockCount: 0))

    private static func blockCommand(_ opcode: UInt8, flags: UInt8, at block: UInt64, blockCount: UInt32) -> [UInt8] {
        var bytes = [opcode, flags]
        bytes.append(bigEndian: block)
        bytes.append(bigEndian: blockCount)
        bytes += [0, 0]
        return bytes
    }
}
