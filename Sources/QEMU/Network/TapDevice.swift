import CProcess
public import ClusterModel
public import Foundation
import Glibc

/// Why a tap device could not be made or removed.
public enum TapDeviceError: Error, Hashable, Sendable, CustomStringConvertible {
    case noBridge(String)
    /// QEMU's user may not open /dev/net/tun, so it could not attach.
    case tunNotAccessible(user: String)
    case busy(String)
    case system(tap: String, step: String, errno: Int32)

    public var description: String {
        switch self {
        case .noBridge(let bridge):
            "There is no bridge \(bridge) on this node. Make it, or name another one in the machine's definition."
        case .tunNotAccessible(let user):
            "\(user), the user QEMU runs as, may not open /dev/net/tun. Load the module tun and set the usual permissions: "
                + "chmod 0666 /dev/net/tun (making a device still takes CAP_NET_ADMIN)."
        case .busy(let tap): "A process has \(tap) open: another QEMU of this machine still runs on this node. End it first."
        case .system(let tap, let step, let error):
            "\(tap): \(step) failed: \(systemMessage(error))."
                + (error == EPERM ? " The node service needs CAP_NET_ADMIN." : "")
        }
    }
}

/// The node's end of a virtual network cable: a persistent tap, plugged into a bridge, that QEMU's user may attach to.
///
/// It exists before QEMU starts and after it ends, so frames can be captured and delivered around a switchover.
public struct TapDevice: Hashable, Sendable {
    /// At most 15 characters (`IFNAMSIZ - 1`).
    public let name: String

    public init(name: String) { self.name = name }

    /// The tap of one adapter: the same name on every node and after every restart.
    ///
    /// `ap`, 40 bits of the machine's UUID (its bytes folded), a hyphen and the adapter's index.
    public init(machine: UUID, adapter index: Int) {
        let bytes = withUnsafeBytes(of: machine.uuid, Array.init)
        var folded = [UInt8](repeating: 0, count: 5)
        for (position, byte) in bytes.enumerated() { folded[position % 5] ^= byte }
        let digits = folded.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        name = "ap\(digits)-\(index)"
    }

    /// Makes the tap with the bridge's MTU, up. One that is left over and unused is taken over.
    ///
    /// - Parameter isPlugged: Whether it is plugged into the bridge. The tap of a machine that is being received is plugged in at the
    ///   switchover, lest it fill with frames that the guest gets elsewhere.
    public func create(bridge: String, mac: MACAddress, user: MachineUser, isPlugged: Bool = true) async throws(TapDeviceError) {
        try await onOwnThread("tap \(name)") { () throws(TapDeviceError) in
            try createBlocking(bridge: bridge, mac: mac, user: user, isPlugged: isPlugged)
        }
    }

    /// Plugs the tap into a bridge, which forwards to it from then on.
    public func plug(into bridge: String) async throws(TapDeviceError) {
        try await onOwnThread("tap \(name)") { () throws(TapDeviceError) in
            let error = cprocess_link_plug(name, bridge)
            guard error == 0 else { throw .system(tap: name, step: "plugging the tap into \(bridge)", errno: error) }
        }
    }

    /// Removes the tap; nothing happens when it is not there.
    public func delete() async throws(TapDeviceError) {
        // The kernel waits for readers of its tables to go by, some tens of milliseconds.
        try await onOwnThread("tap \(name)") { () throws(TapDeviceError) in try deleteBlocking() }
    }

    /// As ``create(bridge:mac:user:)``, on the calling thread and so in its network namespace.
    func createBlocking(bridge: String, mac: MACAddress, user: MachineUser, isPlugged: Bool = true) throws(TapDeviceError) {
        guard user.canReadAndWrite("/dev/net/tun") else { throw .tunNotAccessible(user: user.name) }
        // A bridge without an address of its own takes the lowest of its ports; with this prefix that is never a tap's, so the
        // node keeps its address when machines come and go.
        let hostSide = [0xfe] + mac.bytes.dropFirst()
        var step: UnsafePointer<CChar>?
        let error = cprocess_tap_create(name, user.userID, bridge, hostSide, isPlugged ? 1 : 0, &step)
        if error == 0 { return }
        let what = step.map { String(cString: $0) } ?? "creating the tap"
        // What was begun is not left lying; until it exists there is nothing of ours to remove.
        if !["finding the bridge", "opening /dev/net/tun", "creating the tap"].contains(what) { _ = cprocess_link_delete(name) }
        switch error {
        case ENODEV where what == "finding the bridge", ENXIO where what == "finding the bridge": throw .noBridge(bridge)
        case EBUSY where what == "creating the tap": throw .busy(name)
        default: throw .system(tap: name, step: what, errno: error)
        }
    }

    func deleteBlocking() throws(TapDeviceError) {
        let error = cprocess_link_delete(name)
        guard error == 0 || error == ENODEV || error == ENXIO else { throw .system(tap: name, step: "removing it", errno: error) }
    }
}
