/// A reply or structure from a device that breaks its own format.
///
/// Devices, and whoever can write to a shared disk, are outside: nothing they send may trap.
public struct MalformedData: Error, Hashable, CustomStringConvertible {
    /// What was being read: "READ CAPACITY(16) data".
    public var subject: String
    public var problem: String
    public init(subject: String, problem: String) {
        self.subject = subject
        self.problem = problem
    }
    public var description: String { "\(subject) is malformed: \(problem)." }
}

/// Reads fixed-width integers at byte offsets; an offset outside the bytes is an error, never a trap.
package struct ByteReader {
    package let bytes: ArraySlice<UInt8>
    package let subject: String

    package init(_ bytes: ArraySlice<UInt8>, subject: String) {
        self.bytes = bytes
        self.subject = subject
    }
    package init(_ bytes: [UInt8], subject: String) { self.init(bytes[...], subject: subject) }

    package var count: Int { bytes.count }

    /// The bytes from `offset` on, `length` of them.
    package func slice(at offset: Int, count length: Int) throws(MalformedData) -> ArraySlice<UInt8> {
        guard offset >= 0, length >= 0, offset <= count, length <= count - offset else {
            throw malformed("it ends after \(count) bytes; \(length) are needed at \(offset)")
        }
        let start = bytes.startIndex + offset
        return bytes[start..<start + length]
    }

    /// A big-endian integer: SCSI, and everything of ours on shared disks.
    package func integer<T: FixedWidthInteger>(at offset: Int, as _: T.Type = T.self) throws(MalformedData) -> T {
        var value: T = 0
        for byte in try slice(at: offset, count: MemoryLayout<T>.size) { value = value << 8 | T(truncatingIfNeeded: byte) }
        return value
    }

    /// A little-endian integer: GPT and most file systems.
    package func littleEndian<T: FixedWidthInteger>(at offset: Int, as _: T.Type = T.self) throws(MalformedData) -> T {
        try integer(at: offset, as: T.self).byteSwapped
    }

    package func byte(at offset: Int) throws(MalformedData) -> UInt8 { try integer(at: offset) }

    package func malformed(_ problem: String) -> MalformedData { MalformedData(subject: subject, problem: problem) }
}

extension Array where Element == UInt8 {
    package mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
    package mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
    /// The big-endian bytes of one integer.
    package init<T: FixedWidthInteger>(bigEndian value: T) {
        self = Swift.withUnsafeBytes(of: value.bigEndian) { [UInt8]($0) }
    }
}

/// Bytes as hexadecimal digits, two each, without separators.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// Printable ASCII of a field that devices pad with blanks or NULs.
package func trimmedASCII(_ bytes: some Sequence<UInt8>) -> String {
    let text = bytes.map { (0x20...0x7e).contains($0) ? $0 : 0x20 }
    let first = text.firstIndex { $0 != 0x20 } ?? text.endIndex
    let last = text.lastIndex { $0 != 0x20 } ?? text.startIndex
    return first == text.endIndex ? "" : String(decoding: text[first...last], as: UTF8.self)
}
