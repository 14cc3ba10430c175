/// Opens a port that swallows what comes. It closes by itself after two seconds.
public struct StreamListenQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var port: Int
        public init(port: Int) { self.port = port }
    }
    public static let name = "stream-listen"
    public var address: String
    public init(address: String) { self.address = address }
}

/// Fills such a port for a moment, over one TCP connection.
public struct StreamSendQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var bitsPerSecond: Double
        public init(bitsPerSecond: Double) { self.bitsPerSecond = bitsPerSecond }
    }
    public static let name = "stream-send"
    public var address: String
    public var port: Int
    public init(address: String, port: Int) {
        self.address = address
        self.port = port
    }
}
