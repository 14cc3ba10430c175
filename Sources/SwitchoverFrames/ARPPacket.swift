/// An ARP packet for IPv4 over Ethernet, with its frame (RFC 826).
public struct ARPPacket: Hashable, Sendable {
    public enum Operation: UInt16, Sendable {
        case request = 1
        case reply = 2
    }
    public static let broadcast: [UInt8] = Array(repeating: 0xFF, count: 6)

    /// Ethernet addresses have six bytes, IPv4 addresses four.
    public var destination: [UInt8]
    public var source: [UInt8]
    public var operation: Operation
    public var senderHardware: [UInt8]
    public var sender: [UInt8]
    public var targetHardware: [UInt8]
    public var target: [UInt8]

    private init(
        to destination: [UInt8], from source: [UInt8], _ operation: Operation, sender: [UInt8], targetHardware: [UInt8], target: [UInt8]
    ) {
        self.destination = destination
        self.source = source
        self.operation = operation
        senderHardware = source
        self.sender = sender
        self.targetHardware = targetHardware
        self.target = target
    }

    /// Asks whether anybody has an address, without claiming it: RFC 5227, 2.1.1, ARP Probe.
    public static func probe(for target: [UInt8], from own: [UInt8]) -> Self {
        Self(
            to: broadcast, from: own, .request, sender: [0, 0, 0, 0], targetHardware: Array(repeating: 0, count: 6), target: target)
    }

    /// Tells everybody where an address is: RFC 5227, 2.3, ARP Announcement.
    public static func announcement(of address: [UInt8], at hardware: [UInt8]) -> Self {
        Self(
            to: broadcast, from: hardware, .request, sender: address, targetHardware: Array(repeating: 0, count: 6), target: address)
    }

    /// To one station.
    public static func request(for target: [UInt8], to destination: [UInt8], sender: [UInt8], from source: [UInt8]) -> Self {
        Self(to: destination, from: source, .request, sender: sender, targetHardware: destination, target: target)
    }

    /// Ethernet II (IEEE 802.3, 3.2.6), type 0806, padded to the least that Ethernet carries.
    public var bytes: [UInt8] {
        var bytes = destination + source + [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, UInt8(operation.rawValue)]
        bytes += senderHardware + sender + targetHardware + target
        return bytes + Array(repeating: 0, count: max(0, 60 - bytes.count))
    }

    /// - Returns: nil when it is something else than ARP for IPv4 over Ethernet.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= 42, Array(bytes[12..<20]) == [0x08, 0x06, 0, 1, 0x08, 0, 6, 4], bytes[20] == 0,
            let operation = Operation(rawValue: UInt16(bytes[21]))
        else { return nil }
        destination = Array(bytes[0..<6])
        source = Array(bytes[6..<12])
        self.operation = operation
        senderHardware = Array(bytes[22..<28])
        sender = Array(bytes[28..<32])
        targetHardware = Array(bytes[32..<38])
        target = Array(bytes[38..<42])
    }
}
