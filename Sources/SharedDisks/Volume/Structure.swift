import SCSI

// What every structure of ours shares: 512 bytes that begin with eight of magic and a version, and end with the CRC-32 of those before.

extension [UInt8] {
    /// Four bytes of length, then the text, then zeros up to `limit`.
    mutating func append(text: String, limit: Int) {
        let utf8 = [UInt8](text.utf8)
        precondition(utf8.count <= limit, "\(text) has \(utf8.count) bytes, \(limit) are allowed")
        append(bigEndian: UInt32(utf8.count))
        append(contentsOf: utf8)
        append(contentsOf: repeatElement(0, count: limit - utf8.count))
    }

    func sealed() -> [UInt8] {
        let covered = VolumeLayout.structureByteCount - 4
        precondition(count <= covered, "a structure of \(count) bytes")
        var bytes = self + [UInt8](repeating: 0, count: covered - count)
        bytes.append(bigEndian: CRC32.checksum(bytes))
        return bytes
    }
}

extension ByteReader {
    /// That this is the structure it should be, whole, and of a version that is known.
    ///
    /// - Parameter magic: Eight ASCII characters.
    func checkStructure(magic: [UInt8], version known: UInt32) throws(MalformedData) {
        guard bytes.starts(with: magic) else { throw malformed("it does not begin with \(String(decoding: magic, as: UTF8.self))") }
        let covered = VolumeLayout.structureByteCount - 4
        let stored: UInt32 = try integer(at: covered)
        guard CRC32.checksum(try slice(at: 0, count: covered)) == stored else { throw malformed("its checksum is wrong") }
        let version: UInt32 = try integer(at: 8)
        guard version == known else {
            throw malformed("it has version \(version) and this Apus knows \(known); use the newer one")
        }
    }

    func text(at offset: Int, limit: Int) throws(MalformedData) -> String {
        let length: UInt32 = try integer(at: offset)
        guard length <= UInt32(limit), let text = String(validating: try slice(at: offset + 4, count: Int(length)), as: UTF8.self) else {
            throw malformed("a text of \(length) bytes")
        }
        return text
    }
}
