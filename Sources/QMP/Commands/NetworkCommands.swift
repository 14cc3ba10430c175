extension QMPCommands {
    public struct AnnounceSelf: QMPCommand {
        public static let name = "announce-self"
        public var initial: Int
        public var max: Int
        public var rounds: Int
        public var step: Int
        public var interfaces: [String]?
    }
    public struct SetLink: QMPCommand {
        public static let name = "set_link"
        public var name: String
        public var up: Bool
    }
}

extension QMPCommand where Self == QMPCommands.AnnounceSelf {
    /// Sends RARP packets for the machine's network cards, so that switches learn where they are.
    ///
    /// - Parameters: Delays in milliseconds: `initial` after the first packet, growing by `step` up to `max`.
    ///   - interfaces: Ids of network backends; nil for all.
    public static func announceSelf(
        initial: Int = 50, max: Int = 550, rounds: Int = 5, step: Int = 100, interfaces: [String]? = nil
    ) -> Self {
        Self(initial: initial, max: max, rounds: rounds, step: step, interfaces: interfaces)
    }
}
extension QMPCommand where Self == QMPCommands.SetLink {
    /// Plugs or unplugs the cable of a network card or backend.
    public static func setLink(_ name: String, up: Bool) -> Self { Self(name: name, up: up) }
}
