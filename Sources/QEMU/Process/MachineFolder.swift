/// The files of one running machine: `RUNTIME/machines/NAME/`.
///
/// The folder belongs to root and the machine user's group may create in it, with the sticky bit set: QEMU makes its sockets there, but
/// can neither replace nor remove what the node service wrote, above all the record by which the process is found again.
public struct MachineFolder: Hashable, Sendable {
    public let path: String
    public init(path: String) { self.path = path }

    public func file(_ name: String) -> String { path + "/" + name }
    /// QMP; for commands.
    public var controlSocket: String { file("qmp.sock") }
    /// QMP; for events and for looking while a command runs.
    public var eventSocket: String { file("qmp-events.sock") }
    /// All that the guest wrote to its first serial port.
    public var serialLog: String { file("serial.log") }
    /// The guest's first serial port, for a terminal.
    public var serialSocket: String { file("serial.sock") }
    public var vncSocket: String { file("vnc.sock") }
    /// What QEMU itself says.
    public var log: String { file("qemu.log") }
    /// `PID START-TICKS`, written before the program runs.
    public var processRecord: String { file("pid") }
}
