import ClusterModel
import Foundation

extension MACAddress {
    /// The address of an adapter whose definition gives none: the same on every node and after every edit of the file, because it
    /// comes from the machine's UUID and the adapter's name alone.
    ///
    /// `52:54` followed by 32 bits of FNV-1a (draft-eastlake-fnv, 64 bits, folded). The first byte marks it as locally administered
    /// (IEEE 802 clause 8.2). QEMU's customary prefix `52:54:00` would leave 24 bits: among a thousand adapters two would share
    /// an address in 3 of 100 clusters; with 32 bits it is 1 in 10,000.
    static func derived(machine: UUID, adapter: String) -> MACAddress {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in withUnsafeBytes(of: machine.uuid, Array.init) + Array(adapter.utf8) {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        let folded = UInt32(truncatingIfNeeded: hash ^ (hash >> 32))
        let bytes = [0x52, 0x54] + (0..<4).map { UInt8(truncatingIfNeeded: folded >> (24 - 8 * $0)) }
        let text = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
        guard let address = MACAddress(text) else { preconditionFailure("\(text): 52 is even, so every such address is unicast") }
        return address
    }
}
