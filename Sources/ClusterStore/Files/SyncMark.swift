import ClusterModel
import Foundation
import Glibc

/// How many changes the database had synced when it last answered, in a file beside it.
///
/// SQLite takes a damaged frame of its write-ahead log for the torn end of a power cut and silently forgets everything from there on, also
/// what was synced long before (sqlite.org/fileformat2.html section 4.4). So a flipped bit in the log would bring back an older
/// configuration that looks perfectly whole: a broken promise. The mark tells the two apart. It is written after the sync and before
/// the answer, so it is never ahead of the database; a database that is behind it has lost something.
///
/// The mark itself is not synced: after a power cut it may be some seconds old, and then tells less, but nothing wrong. It also
/// gives away a database that was replaced by an older copy, and one that vanished.
final class SyncMark: Sendable {
    struct Content: Hashable, Sendable {
        var cluster: UUID
        var node: NodeID
        var changes: UInt64
    }

    private static let magic: UInt64 = 0x4150_5553_4D41_524B  // "APUSMARK"
    static let byteCount = 48
    private let files: StoreFiles
    private let file: Int32

    init(_ files: StoreFiles) throws(StoreError) {
        let opened = open(files.mark, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw files.failure(files.mark) }
        self.files = files
        file = opened
    }

    deinit { close(file) }

    /// - Returns: nil when it is torn, damaged or empty: then it says nothing.
    func read() throws(StoreError) -> Content? {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount + 1)
        var count = 0
        repeat { count = bytes.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, 0) } } while count < 0 && errno == EINTR
        guard count >= 0 else { throw files.failure(files.mark) }
        return count == Self.byteCount ? Self.decode(bytes.dropLast()) : nil
    }

    /// One small write at the start of the file: no room is needed after the first, and it lies within one sector.
    func write(_ content: Content) throws(StoreError) {
        let bytes = Self.encode(content)
        var count = 0
        repeat { count = bytes.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) } } while count < 0 && errno == EINTR
        guard count == bytes.count else {
            if count >= 0 { errno = ENOSPC }
            throw files.failure(files.mark)
        }
    }

    func sync() throws(StoreError) {
        guard fdatasync(file) == 0 else { throw files.failure(files.mark) }
    }

    static func encode(_ content: Content) -> [UInt8] {
        var bytes: [UInt8] = []
        func add(_ word: UInt64) { withUnsafeBytes(of: word.bigEndian) { bytes.append(contentsOf: $0) } }
        add(magic)
        withUnsafeBytes(of: content.cluster.uuid) { bytes.append(contentsOf: $0) }
        add(UInt64(content.node.rawValue))
        add(content.changes)
        add(checksum(of: bytes))
        return bytes
    }

    static func decode(_ bytes: some Collection<UInt8>) -> Content? {
        let bytes = Array(bytes)
        guard bytes.count == byteCount else { return nil }
        func word(at offset: Int) -> UInt64 { bytes[offset..<offset + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        guard word(at: 0) == magic, word(at: 40) == checksum(of: bytes[..<40]), let number = UInt16(exactly: word(at: 24)),
            let node = NodeID(rawValue: number)
        else { return nil }
        let uuid = bytes[8..<24].withUnsafeBytes { $0.loadUnaligned(as: uuid_t.self) }
        return Content(cluster: UUID(uuid: uuid), node: node, changes: word(at: 32))
    }

    private static func checksum(of bytes: some Collection<UInt8>) -> UInt64 {
        var hash = DifferenceHash()
        hash.combine(bytes)
        return hash.value
    }
}
