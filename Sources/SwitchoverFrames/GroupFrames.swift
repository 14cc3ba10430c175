/// Broadcast and multicast frames that reached the destination's tap by themselves, to be left out when the source sends them too.
///
/// The same content may come several times (an ARP request is repeated as it is), so occurrences are counted.
struct GroupFrames: Sendable {
    private var counts: [Int: Int] = [:]
    private var order: [Int] = []
    private var head = 0
    /// As many as a switchover can bring; older ones are forgotten, and then a frame may be delivered twice.
    let limit: Int

    init(limit: Int = 8_192) { self.limit = limit }

    mutating func saw(_ frame: [UInt8]) {
        let fingerprint = EthernetFrame.fingerprint(frame)
        counts[fingerprint, default: 0] += 1
        order.append(fingerprint)
        if order.count - head > limit {
            forget(order[head])
            head += 1
        }
        if head > limit {
            order.removeFirst(head)
            head = 0
        }
    }

    /// Whether this frame arrived by itself; each arrival answers for one frame of the source.
    mutating func take(_ frame: [UInt8]) -> Bool { forget(EthernetFrame.fingerprint(frame)) }

    @discardableResult
    private mutating func forget(_ fingerprint: Int) -> Bool {
        guard let count = counts[fingerprint] else { return false }
        counts[fingerprint] = count > 1 ? count - 1 : nil
        return true
    }
}
