import Foundation
import SCSI

/// Who holds the witness on a share: the content of the file `lock`.
public struct ShareHolder: Hashable, Sendable {
    /// The holder's reservation key; nil when nobody holds it.
    public var key: UInt64?
    /// Rises with every change of the holder. It is part of the names of the files that a holder writes.
    public var term: UInt64
    public init(key: UInt64?, term: UInt64) {
        self.key = key
        self.term = term
    }

    private static let magic = Array("APUSLCK1".utf8)
    private static let version: UInt32 = 1

    func encoded(cluster: UUID) -> [UInt8] {
        var bytes = Self.magic
        bytes.append(bigEndian: Self.version)
        bytes.append(bigEndian: 0 as UInt32)
        bytes += cluster.bytes
        bytes.append(bigEndian: key ?? 0)
        bytes.append(bigEndian: term)
        return bytes.sealed()
    }

    init(parsing bytes: [UInt8], cluster: UUID) throws(MalformedData) {
        let reader = ByteReader(bytes.prefix(VolumeLayout.structureByteCount), subject: "The lock of the share")
        try reader.checkStructure(magic: Self.magic, version: Self.version)
        guard UUID(bytes: try reader.slice(at: 16, count: 16)) == cluster else { throw reader.malformed("it belongs to another cluster") }
        let key: UInt64 = try reader.integer(at: 32)
        self.key = key == 0 ? nil : key
        term = try reader.integer(at: 40)
    }
}

/// The file `lock` while this process has it locked (open file description locks, fcntl(2)), which is for the moment of reading or
/// changing it: then the file server answers for that nobody else changes it in between, and that what is read is not from a cache.
///
/// The lock belongs to the open file, not to the process, so another part of the process does not release it by accident.
struct ShareLock: ~Copyable {
    private let file: Int32
    private let path: String

    /// - Parameter changes: Nobody else may even read meanwhile.
    init(path: String, changes: Bool) throws(WitnessError) {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .share(path: path, "it cannot be opened: \(String(cString: strerror(errno)))") }
        var request = flock()
        request.l_type = Int16(changes ? F_WRLCK : F_RDLCK)
        request.l_whence = Int16(SEEK_SET)
        let end = ContinuousClock.now + Self.patience
        while fcntl(file, Self.setLock, &request) != 0 {
            let number = errno
            let isTaken = number == EAGAIN || number == EACCES
            guard isTaken, ContinuousClock.now < end else {
                close(file)
                throw .share(
                    path: path,
                    isTaken
                        ? "another node keeps it locked; if it hangs, the file server has to let go of its lock"
                        : "it cannot be locked: \(String(cString: strerror(number))); the share needs working locks")
            }
            // Others hold it for milliseconds.
            usleep(5_000)
        }
        self.file = file
        self.path = path
    }
    deinit { close(file) }

    /// Empty when it was never written.
    func read() throws(WitnessError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: VolumeLayout.structureByteCount)
        let count = pread(file, &bytes, bytes.count, 0)
        guard count >= 0 else { throw .share(path: path, "it cannot be read: \(String(cString: strerror(errno)))") }
        return Array(bytes.prefix(count))
    }

    /// Durable on return.
    func write(_ bytes: [UInt8]) throws(WitnessError) {
        guard pwrite(file, bytes, bytes.count, 0) == bytes.count, fsync(file) == 0 else {
            throw .share(path: path, "it cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    private static let patience = Duration.milliseconds(300)
    // F_OFD_SETLK (fcntl.h, Linux 3.15), which Foundation does not show.
    private static let setLock: Int32 = 37
}
