import ClusterModel

/// Why bytes from another node, or from the witness, were not understood. Nothing of them was used.
public enum CodingError: Error, Hashable, Sendable, CustomStringConvertible {
    case truncated(at: Int)
    case version(UInt8)
    case unknownKind(UInt8)
    case outOfRange(String)
    case trailingBytes(Int)

    public var description: String {
        switch self {
        case .truncated(let offset): "The bytes end at \(offset), in the middle of a value."
        case .version(let version): "Version \(version) of the format is not known. Bring all nodes to the same version of Apus."
        case .unknownKind(let kind): "Kind \(kind) is not known. Bring all nodes to the same version of Apus."
        case .outOfRange(let what): "\(what) is out of range."
        case .trailingBytes(let count): "\(count) bytes follow where none should."
        }
    }
}

/// Appends values, big endian.
struct ByteWriter {
    var bytes: [UInt8] = []

    init(capacity: Int = 128) { bytes.reserveCapacity(capacity) }

    mutating func write(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
    mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }
    mutating func write(_ value: NodeID) { write(value.rawValue) }
    /// With its length in front.
    mutating func write(_ value: some Collection<UInt8>) {
        write(UInt32(value.count))
        bytes.append(contentsOf: value)
    }
    mutating func write<T>(list: some Collection<T>, _ element: (inout ByteWriter, T) -> Void) {
        write(UInt32(list.count))
        for value in list { element(&self, value) }
    }
    mutating func write<T>(_ value: T?, _ body: (inout ByteWriter, T) -> Void) {
        write(value != nil)
        if let value { body(&self, value) }
    }
}

/// Takes values off, checking every length before it is used.
struct ByteReader {
    private let bytes: [UInt8]
    private var offset: Int
    private let end: Int

    init(_ bytes: [UInt8], from offset: Int = 0) {
        self.bytes = bytes
        self.offset = min(offset, bytes.count)
        end = bytes.count
    }

    private var remaining: Int { end - offset }

    mutating func read<T: FixedWidthInteger>(_: T.Type = T.self) throws(CodingError) -> T {
        let size = T.bitWidth / 8
        guard remaining >= size else { throw .truncated(at: offset) }
        let value = bytes.withUnsafeBytes { T(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
        offset += size
        return value
    }
    mutating func readBool() throws(CodingError) -> Bool {
        switch try read(UInt8.self) {
        case 0: return false
        case 1: return true
        default: throw .outOfRange("a yes or no")
        }
    }
    mutating func readNode() throws(CodingError) -> NodeID {
        guard let node = NodeID(rawValue: try read()) else { throw .outOfRange("a node's number") }
        return node
    }
    mutating func readBytes(limit: Int) throws(CodingError) -> [UInt8] {
        let count = Int(try read(UInt32.self))
        guard count <= limit else { throw .outOfRange("a length of \(count)") }
        guard remaining >= count else { throw .truncated(at: offset) }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }
    /// - Parameter minimum: The least bytes an element takes: a giant count is refused before anything is reserved for it.
    mutating func readList<T>(
        minimum: Int, _ element: (inout ByteReader) throws(CodingError) -> T
    ) throws(CodingError) -> [T] {
        let count = Int(try read(UInt32.self))
        guard count <= remaining / minimum else { throw .truncated(at: offset) }
        var list: [T] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try element(&self)) }
        return list
    }
    mutating func readOptional<T>(_ body: (inout ByteReader) throws(CodingError) -> T) throws(CodingError) -> T? {
        try readBool() ? try body(&self) : nil
    }
    func finish() throws(CodingError) {
        guard remaining == 0 else { throw .trailingBytes(remaining) }
    }
}
