import Foundation

/// Asks the network who else answers for addresses of this node: an ARP probe (RFC 5227, 2.1.1), to which the node itself does not answer.
public struct DuplicateQuestion: ProbeQuestion {
    public struct Place: Codable, Hashable, Sendable {
        public var address: String
        public var adapter: String
        public init(address: String, adapter: String) {
            self.address = address
            self.adapter = adapter
        }
    }
    public struct Answer: Codable, Hashable, Sendable {
        public var place: Place
        /// Hardware addresses other than the adapter's own that claim the address, each once: `52:54:00:12:34:56`.
        public var claimants: [String]
        /// Why it could not be asked: a sentence.
        public var problem: String?
        public init(place: Place, claimants: [String], problem: String? = nil) {
            self.place = place
            self.claimants = claimants
            self.problem = problem
        }
    }
    public struct Evidence: Codable, Hashable, Sendable {
        public var answers: [Answer]
        public init(answers: [Answer]) { self.answers = answers }
    }
    public static let name = "duplicates"
    public var places: [Place]
    public init(places: [Place]) { self.places = places }
}

/// Watches on a bridge for frames that belong to a made-up hardware address. Held until ``MovedAddressTallyQuestion``.
public struct MovedAddressWatchQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var watcher: UUID
        public init(watcher: UUID) { self.watcher = watcher }
    }
    public static let name = "moved-address-watch"
    public var bridge: String
    public var hardwareAddress: String
    public init(bridge: String, hardwareAddress: String) {
        self.bridge = bridge
        self.hardwareAddress = hardwareAddress
    }
}

/// What a watcher has seen.
public struct MovedAddressTallyQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// The numbers of the announcements that came, ascending.
        public var announcements: [Int]
        /// The numbers of the frames to the address that came, ascending.
        public var frames: [Int]
        public init(announcements: [Int], frames: [Int]) {
            self.announcements = announcements
            self.frames = frames
        }
    }
    public static let name = "moved-address-tally"
    public var watcher: UUID
    public init(watcher: UUID) { self.watcher = watcher }
}

/// Sends over a bridge: announcements of the address (gratuitous ARP, RFC 5227, 3), or frames to it, evenly spaced.
public struct MovedAddressSendQuestion: ProbeQuestion {
    public enum Kind: String, Codable, Hashable, Sendable { case announcement, frame }
    public struct Evidence: Codable, Hashable, Sendable {
        public var sent: Int
        public init(sent: Int) { self.sent = sent }
    }
    public static let name = "moved-address-send"
    /// Milliseconds between two frames.
    public static let interval = 20
    public var kind: Kind
    public var bridge: String
    public var hardwareAddress: String
    /// The number of the first; each next one is one higher.
    public var first: Int
    public var count: Int
    public init(_ kind: Kind, bridge: String, hardwareAddress: String, first: Int, count: Int) {
        self.kind = kind
        self.bridge = bridge
        self.hardwareAddress = hardwareAddress
        self.first = first
        self.count = count
    }
}
