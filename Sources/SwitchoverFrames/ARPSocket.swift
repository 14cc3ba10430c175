import CPacketSocket
import Glibc

/// Sends and receives ARP packets on one interface. It receives what others send, never what it sent itself.
///
/// Calls of ``receive(within:)`` block: make them on a thread of their own. Needs CAP_NET_RAW.
public final class ARPSocket: Sendable {
    public let interface: String
    /// The interface's own Ethernet address.
    public let hardwareAddress: [UInt8]
    private let descriptor: Int32

    /// - Parameter hearsEverything: Also frames that are meant for others, as far as the network brings them here.
    /// - Throws: ``ARPError``, also for an interface that is not Ethernet.
    public init(interface: String, hearsEverything: Bool = false) throws(ARPError) {
        var own = [UInt8](repeating: 0, count: 6)
        let answer = cpacket_open_arp(interface, hearsEverything ? 1 : 0, &own)
        guard answer >= 0 else { throw ARPError(interface: interface, reason: reason(answer)) }
        self.interface = interface
        descriptor = answer
        hardwareAddress = own
    }

    deinit { close(descriptor) }

    public func send(_ packet: ARPPacket) throws(ARPError) {
        let sent = packet.bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
        guard sent >= 0 else { throw ARPError(interface: interface, reason: reason(-errno)) }
    }

    /// Waits for the next packet.
    ///
    /// - Parameter milliseconds: How long at most.
    /// - Returns: nil when none came, or something that is no ARP for IPv4.
    public func receive(within milliseconds: Int32) throws(ARPError) -> ARPPacket? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let ready = poll(&entry, 1, max(0, milliseconds))
        if ready == 0 || (ready < 0 && errno == EINTR) { return nil }
        var buffer = [UInt8](repeating: 0, count: 1_500)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else {
            if errno == EAGAIN || errno == EINTR { return nil }
            throw ARPError(interface: interface, reason: reason(-errno))
        }
        return ARPPacket(Array(buffer.prefix(count)))
    }
}

/// Why ARP packets cannot be sent or received.
public struct ARPError: Error, Hashable, CustomStringConvertible {
    public var interface: String
    public var reason: String
    public var description: String { "ARP on interface \(interface) is not possible: \(reason). The node service must run as root." }
}
