import ClusterModel
import Foundation

/// Starts a guest with the acceleration that the node's machines use, and lets it do a known piece of work.
public struct GuestTrialQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// What the node service chose when it started.
        public var acceleration: Acceleration
        /// Why: a sentence.
        public var choice: String
        public var succeeded: Bool
        /// From QEMU's start to the guest's end.
        public var milliseconds: Double
        /// Why the guest did not run: a clause, or QEMU's own words.
        public var reason: String
        public init(acceleration: Acceleration, choice: String, succeeded: Bool, milliseconds: Double, reason: String) {
            self.acceleration = acceleration
            self.choice = choice
            self.succeeded = succeeded
            self.milliseconds = milliseconds
            self.reason = reason
        }
    }
    public static let name = "guest-trial"
    public init() {}
}

/// Opens a node that belongs to no cluster to the other nodes of a run: they may bring it a test's guest, and nothing else.
///
/// Such nodes share no certificates yet. For the time of the run they get some of an authority that is made for it, so that memory crosses
/// the network as it will later: over mutual TLS.
public struct GuestDoorQuestion: ProbeQuestion {
    /// PEM texts for memory streams, as a joining node gets them.
    public struct Certificates: Codable, Hashable, Sendable {
        public var authority: String
        public var certificate: String
        public var key: String
        public init(authority: String, certificate: String, key: String) {
            self.authority = authority
            self.certificate = certificate
            self.key = key
        }
    }
    public struct Evidence: Codable, Hashable, Sendable {
        /// Where its API listens.
        public var address: String
        public var port: Int
        /// SHA-256 of the certificate that it shows there.
        public var fingerprint: Data
        /// Whoever has this may bring a guest, until the run ends.
        public var secret: Data
        public init(address: String, port: Int, fingerprint: Data, secret: Data) {
            self.address = address
            self.port = port
            self.fingerprint = fingerprint
            self.secret = secret
        }
    }
    public static let name = "guest-door"
    public var stream: Certificates
    /// For the API; the same authority.
    public var api: Certificates
    public init(api: Certificates, stream: Certificates) {
        self.api = api
        self.stream = stream
    }
}

/// Starts a guest that can be moved.
public struct GuestStartQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// From the order to the guest's first sign of life.
        public var milliseconds: Double
        public init(milliseconds: Double) { self.milliseconds = milliseconds }
    }
    public static let name = "guest-start"
    public var guest: UUID
    public var machineType: String
    public var cpuModel: String
    public init(guest: UUID, machineType: String, cpuModel: String) {
        self.guest = guest
        self.machineType = machineType
        self.cpuModel = cpuModel
    }
}

/// Moves a guest from the node that is asked to another one.
public struct GuestMoveQuestion: ProbeQuestion {
    public typealias Evidence = GuestMoveEvidence
    public static let name = "guest-move"
    public var guest: UUID
    public var kind: MigrationKind
    public var destination: NodeName
    /// How the destination is reached; nil for a member of the same cluster.
    public var door: GuestDoorQuestion.Evidence?
    public init(guest: UUID, kind: MigrationKind, destination: NodeName, door: GuestDoorQuestion.Evidence?) {
        self.guest = guest
        self.kind = kind
        self.destination = destination
        self.door = door
    }
}

/// What a move was like.
public struct GuestMoveEvidence: Codable, Hashable, Sendable {
    public var outcome: MigrationOutcome
    /// What the migration engine says of it: sentences.
    public var message: String
    /// From the order to the end.
    public var totalMilliseconds: Double
    /// From the guest's stop to its resumption.
    public var blackoutMilliseconds: Double?
    /// From the guest's last sign of life on the source to its first on the destination.
    public var gapMilliseconds: Double?
    public var transferredBytes: UInt64
    public var passes: Int
    /// Its last number on the source and its first on the destination.
    public var lastSign: UInt8?
    public var firstSign: UInt8?
    /// How many numbers the guest was further on the destination than on the source; 1 when none is missing.
    public var signsAhead: Int?
    /// It found memory that it had not written so.
    public var hasBrokenMemory: Bool

    public init(
        outcome: MigrationOutcome, message: String, totalMilliseconds: Double, blackoutMilliseconds: Double?, gapMilliseconds: Double?,
        transferredBytes: UInt64, passes: Int, lastSign: UInt8?, firstSign: UInt8?, signsAhead: Int?, hasBrokenMemory: Bool
    ) {
        self.outcome = outcome
        self.message = message
        self.totalMilliseconds = totalMilliseconds
        self.blackoutMilliseconds = blackoutMilliseconds
        self.gapMilliseconds = gapMilliseconds
        self.transferredBytes = transferredBytes
        self.passes = passes
        self.lastSign = lastSign
        self.firstSign = firstSign
        self.signsAhead = signsAhead
        self.hasBrokenMemory = hasBrokenMemory
    }
}

/// Ends a guest, and forgets it.
public struct GuestEndQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// Whether there was such a guest.
        public var wasThere: Bool
        public init(wasThere: Bool) { self.wasThere = wasThere }
    }
    public static let name = "guest-end"
    public var guest: UUID
    public init(guest: UUID) { self.guest = guest }
}
