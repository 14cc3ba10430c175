import ClusterModel

/// How large the guest's memory is, as QEMU is told.
///
/// Under TCG it is 64 KiB less than the definition says, because QEMU loses writes otherwise. QEMU's bitmap sync has two ways
/// (`cpu_physical_memory_sync_dirty_bitmap`, QEMU 7.2). The quick one is for blocks of memory that are a multiple of 64 pages. It clears the
/// dirty bits and leaves the processors' TLBs as they are, so a page that was written before the sync is written again without a trace, and
/// arrives at the destination as it was then. QEMU 9.0 resets the TLBs there (commit 03bfc2188f06), though not when each bit it cleared was
/// already known to the migration. The thorough way looks at one page after the other and is right in every version. See
/// Docs/decisions/tcg-loses-writes.md.
struct GuestMemory: Hashable, Sendable {
    /// What a block of memory must not be a multiple of: 64 pages, the bits of one word of the bitmap.
    static let quickSyncByteCount: UInt64 = 64 * 4_096
    /// Firmware counts memory in steps of 64 KiB (CMOS 0x34 and 0x35).
    private static let omittedByteCount: UInt64 = 64 << 10

    let byteCount: UInt64

    init(mebibytes: Int, acceleration: Acceleration) {
        let (bytes, overflow) = UInt64(clamping: mebibytes).multipliedReportingOverflow(by: 1 << 20)
        let whole = overflow ? .max : bytes
        // KVM has the kernel track what the guest writes.
        byteCount = acceleration == .kvm ? whole : whole - min(whole, Self.omittedByteCount)
    }

    /// For `-m size=`: as whole mebibytes where it can be.
    var text: String { byteCount % (1 << 20) == 0 ? "\(byteCount >> 20)M" : "\(byteCount >> 10)K" }
}
