import ClusterModel
import Foundation

/// Borrows the scratch area of a disk: what is there is read and kept, and put back at the end whatever happens.
///
/// Only one node does this for a test; every node may then write there.
public struct ScratchQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var lease: UUID
        public var area: ScratchArea
        public init(lease: UUID, area: ScratchArea) {
            self.lease = lease
            self.area = area
        }
    }
    public static let name = "disk-scratch"
    public var disk: DiskID
    public init(disk: DiskID) { self.disk = disk }
}

/// Puts back what was in a scratch area.
public struct ScratchReturnQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable { public init() {} }
    public static let name = "disk-scratch-return"
    public var lease: UUID
    public var disk: DiskID
    public init(lease: UUID, disk: DiskID) {
        self.lease = lease
        self.disk = disk
    }
}

/// How the disks that the node sees name themselves, asked twice: over the session that is there and over a new one.
public struct DiskNamesQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var first: [DiskName]
        public var again: [DiskName]
        public init(first: [DiskName], again: [DiskName]) {
            self.first = first
            self.again = again
        }
    }
    public static let name = "disk-names"
    public init() {}
}

/// What a logical unit says it is.
public struct DiskName: Codable, Hashable, Sendable {
    public var lun: Int
    /// nil when it says nothing that could be unique.
    public var id: DiskID?
    public var serial: String
    public var byteCount: UInt64
    public init(lun: Int, id: DiskID?, serial: String, byteCount: UInt64) {
        self.lun = lun
        self.id = id
        self.serial = serial
        self.byteCount = byteCount
    }
}

/// How long reads and forced writes of 4 KiB take, one after the other.
public struct DiskLatencyQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// In milliseconds.
        public var reads: [Double]
        public var writes: [Double]
        public init(reads: [Double], writes: [Double]) {
            self.reads = reads
            self.writes = writes
        }
    }
    public static let name = "disk-latency"
    public var area: ScratchArea
    public var count: Int
    /// It ends earlier when this is over.
    public var milliseconds: Int
    public init(area: ScratchArea, count: Int, milliseconds: Int) {
        self.area = area
        self.count = count
        self.milliseconds = milliseconds
    }
}

/// How much the node reads of a disk in a time, with several reads of 1 MiB under way.
public struct DiskThroughputQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var byteCount: UInt64
        public var milliseconds: Double
        public init(byteCount: UInt64, milliseconds: Double) {
            self.byteCount = byteCount
            self.milliseconds = milliseconds
        }
    }
    public static let name = "disk-throughput"
    public var disk: DiskID
    public var milliseconds: Int
    public init(disk: DiskID, milliseconds: Int) {
        self.disk = disk
        self.milliseconds = milliseconds
    }
}

/// Writes one pattern to the start of the scratch area, forced to the medium.
public struct DiskStampQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable { public init() {} }
    public static let name = "disk-stamp"
    public var area: ScratchArea
    public var sequence: UInt64
    public init(area: ScratchArea, sequence: UInt64) {
        self.area = area
        self.sequence = sequence
    }
}

/// Reads what stands at the start of the scratch area.
public struct DiskLookQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var reading: ScratchPattern.Reading
        public init(reading: ScratchPattern.Reading) { self.reading = reading }
    }
    public static let name = "disk-look"
    public var area: ScratchArea
    public init(area: ScratchArea) { self.area = area }
}

/// Writes one block again and again, each time with the next number.
public struct DiskRewriteQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var writes: Int
        public init(writes: Int) { self.writes = writes }
    }
    public static let name = "disk-rewrite"
    public var area: ScratchArea
    public var milliseconds: Int
    /// The number of the first write; each further one counts on.
    public var first: UInt64
    public init(area: ScratchArea, milliseconds: Int, first: UInt64 = 1) {
        self.area = area
        self.milliseconds = milliseconds
        self.first = first
    }
}

/// Reads one block again and again while another node writes it.
public struct DiskWatchQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var reads: Int
        /// How many different writes were seen whole.
        public var seen: Int
        /// Blocks that held parts of two writes, and were whole when read again.
        public var mixedOnce: Int
        /// Blocks that still did when they were read again after the writer had moved on.
        public var mixedTwice: Int
        /// How often an older write was seen after a newer one.
        public var backwards: Int
        /// Whether something was seen that must not be.
        public var isFaulty: Bool { mixedOnce > 0 || mixedTwice > 0 || backwards > 0 }
        public init(reads: Int, seen: Int, mixedOnce: Int, mixedTwice: Int, backwards: Int) {
            self.reads = reads
            self.seen = seen
            self.mixedOnce = mixedOnce
            self.mixedTwice = mixedTwice
            self.backwards = backwards
        }
    }
    public static let name = "disk-watch"
    public var area: ScratchArea
    public var milliseconds: Int
    public init(area: ScratchArea, milliseconds: Int) {
        self.area = area
        self.milliseconds = milliseconds
    }
}

/// What the disk says of its cache, and what flushing it takes.
public struct DiskFlushQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// The caching mode page's WCE (SBC-3 6.4.5); nil when the disk does not tell.
        public var hasWriteCache: Bool?
        /// The mode page header's DPOFUA (SBC-3 6.4.1).
        public var takesForcedWrites: Bool?
        /// NV_SUP of the extended INQUIRY page (SPC-4 7.8.7): it has a cache that survives a loss of power.
        public var hasProtectedCache: Bool?
        /// Of a command that does nothing, in milliseconds, asked between the flushes.
        public var roundTrips: [Double] = []
        /// Of SYNCHRONIZE CACHE after ``dirtyByteCount`` were written.
        public var flushes: [Double] = []
        public var dirtyByteCount: UInt64 = 0
        /// How the disk refused to flush, if it did.
        public var flushProblem: String?
        /// Of 4 KiB, forced and not.
        public var forcedWrites: [Double] = []
        public var plainWrites: [Double] = []
        public var forcedProblem: String?
        public init() {}
    }
    public static let name = "disk-flush"
    public var area: ScratchArea
    public init(area: ScratchArea) { self.area = area }
}
