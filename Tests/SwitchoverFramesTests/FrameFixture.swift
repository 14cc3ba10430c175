import Foundation
import Testing

@testable import SwitchoverFrames

let guest: [UInt8] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]
let peer: [UInt8] = [0x02, 0x00, 0x00, 0x00, 0x00, 0x01]
let broadcast = [UInt8](repeating: 0xff, count: 6)
/// All nodes, ff02::1, as an Ethernet address (RFC 2464 section 7).
let allNodes: [UInt8] = [0x33, 0x33, 0, 0, 0, 1]

/// An Ethernet frame without `virtio_net_hdr`; its payload starts with `number`.
func frame(
    to destination: [UInt8], from source: [UInt8] = peer, type: [UInt8] = [0x88, 0xb5], number: UInt32 = 0, length: Int = 60
) -> [UInt8] {
    let head = destination + source + type + withUnsafeBytes(of: number.bigEndian) { Array($0) }
    return head + [UInt8](repeating: 0, count: max(0, length - head.count))
}

/// `virtio_net_hdr` that says nothing.
let plainHeader = [UInt8](repeating: 0, count: 10)

/// The number that ``frame(to:from:type:number:length:)`` put behind the header and the addresses; nil when it is another frame.
func number(of bytes: [UInt8], tagged: Bool = false) -> UInt32? {
    let payload = bytes.dropFirst(10 + 12 + (tagged ? 4 : 0))
    guard payload.count >= 6, Array(payload.prefix(2)) == [0x88, 0xb5] else { return nil }
    return payload.dropFirst(2).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
}
