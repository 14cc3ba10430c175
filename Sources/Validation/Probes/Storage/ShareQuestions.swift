import ClusterModel
import Foundation

/// Where on a file share tests put their files: a folder of the run's own, removed at its end.
public struct ShareFile: Hashable, Sendable, Codable {
    /// The mount point, from the root.
    public var share: String
    /// Lower-case letters, digits and hyphens.
    public var name: String
    public init(share: String, name: String) {
        self.share = share
        self.name = name
    }

    /// - Returns: nil when share or name are none that tests may use.
    public func path(run: UUID) -> (folder: String, file: String)? {
        guard share.hasPrefix("/"), !share.utf8.contains(0), name.wholeMatch(of: /[a-z0-9-]{1,64}/) != nil else { return nil }
        let folder = share + "/.apus-validation-\(run.uuidString.lowercased())"
        return (folder, folder + "/" + name)
    }
}

/// Writes a file and closes it.
public struct ShareWriteQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// How long each fsync took; none unless asked for.
        public var syncs: [Double]
        public init(syncs: [Double]) { self.syncs = syncs }
    }
    public static let name = "share-write"
    public var file: ShareFile
    public var text: String
    /// How often 4 KiB are appended and synced.
    public var syncs: Int
    public init(file: ShareFile, text: String, syncs: Int = 0) {
        self.file = file
        self.text = text
        self.syncs = syncs
    }
}

/// Reads a file.
public struct ShareReadQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// nil when there is none.
        public var text: String?
        public init(text: String?) { self.text = text }
    }
    public static let name = "share-read"
    public var file: ShareFile
    public init(file: ShareFile) { self.file = file }
}

/// Tries to lock a file for itself alone, and keeps the lock until ``ShareUnlockQuestion``, or the end of the run.
public struct ShareLockQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// nil when another node has it locked.
        public var lock: UUID?
        public init(lock: UUID?) { self.lock = lock }
    }
    public static let name = "share-lock"
    public var file: ShareFile
    public init(file: ShareFile) { self.file = file }
}

/// Lets a lock go by closing its file, as the end of a process does.
public struct ShareUnlockQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable { public init() {} }
    public static let name = "share-unlock"
    public var lock: UUID
    public init(lock: UUID) { self.lock = lock }
}

/// Replaces a file by renaming another over it, again and again.
public struct ShareReplaceQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var replacements: Int
        public init(replacements: Int) { self.replacements = replacements }
    }
    public static let name = "share-replace"
    public var file: ShareFile
    public var milliseconds: Int
    public init(file: ShareFile, milliseconds: Int) {
        self.file = file
        self.milliseconds = milliseconds
    }
}

/// Reads a file again and again while another node replaces it.
public struct ShareWatchQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        public var reads: Int
        /// How many different files were seen whole.
        public var seen: Int
        /// Neither one nor another.
        public var mixed: Int
        /// There was no file, although one was there before and after.
        public var missing: Int
        public init(reads: Int, seen: Int, mixed: Int, missing: Int) {
            self.reads = reads
            self.seen = seen
            self.mixed = mixed
            self.missing = missing
        }
    }
    public static let name = "share-watch"
    public var file: ShareFile
    public var milliseconds: Int
    public init(file: ShareFile, milliseconds: Int) {
        self.file = file
        self.milliseconds = milliseconds
    }
}
