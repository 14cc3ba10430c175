import Glibc

/// Why frames cannot be recorded or handed to a guest. Nothing of it stops the machine: at worst frames of the switchover are lost.
public enum FrameError: Error, Hashable, CustomStringConvertible {
    case invalidAddress([UInt8])
    case cannotOpen(interface: String, reason: String)
    case cannotPrepare(interface: String, step: String, reason: String)
    /// The tap took no frame for a while, or is gone. `written` frames were handed over before.
    case cannotWrite(interface: String, written: Int, reason: String)
    case stopped(interface: String)

    public var description: String {
        switch self {
        case .invalidAddress(let bytes):
            "\(bytes.map { String($0, radix: 16) }.joined(separator: ":")) is no Ethernet address of one station: give six bytes, "
                + "the first even."
        case .cannotOpen(let interface, let reason):
            "Cannot watch interface \(interface): \(reason). Check that the machine's tap exists on this node and that the node "
                + "service runs as root. The machine can still move; frames that arrive while it is paused may be lost."
        case .cannotPrepare(let interface, let step, let reason):
            "Cannot \(step) interface \(interface): \(reason). Check that the node service runs as root."
        case .cannotWrite(let interface, let written, let reason):
            "Interface \(interface) took \(written) frames and then no more: \(reason). The remaining ones are lost; "
                + "protocols that repeat will send them again."
        case .stopped(let interface):
            "Interface \(interface) is no longer watched: this recorder or injector was stopped."
        }
    }
}

/// The text of the reason a C function answered with (`-errno`).
func reason(_ answer: Int32) -> String { String(cString: strerror(-answer)) }
