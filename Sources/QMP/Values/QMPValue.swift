/// Any JSON value, for what QEMU leaves open: data of events that are not known here, properties, options of block nodes.
public enum QMPValue: Hashable, Sendable, Codable {
    case null
    case bool(Bool)
    /// QEMU's `int`.
    case integer(Int64)
    /// QEMU's `size` and `uint64` where they do not fit ``integer(_:)``.
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case array([QMPValue])
    case object([String: QMPValue])

    public init(from decoder: any Decoder) throws {
        if let members = try? decoder.container(keyedBy: MemberName.self) {
            var object: [String: QMPValue] = [:]
            for key in members.allKeys { object[key.stringValue] = try members.decode(QMPValue.self, forKey: key) }
            self = .object(object)
            return
        }
        if var elements = try? decoder.unkeyedContainer() {
            var array: [QMPValue] = []
            while !elements.isAtEnd { array.append(try elements.decode(QMPValue.self)) }
            self = .array(array)
            return
        }
        // Asking for a type and falling back is the only way that `Decoder` offers to learn what is there.
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .null
        } else if let text = try? single.decode(String.self) {
            self = .string(text)
        } else if let flag = try? single.decode(Bool.self) {
            self = .bool(flag)
        } else if let integer = try? single.decode(Int64.self) {
            self = .integer(integer)
        } else if let integer = try? single.decode(UInt64.self) {
            self = .unsigned(integer)
        } else {
            self = .number(try single.decode(Double.self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var single = encoder.singleValueContainer()
        switch self {
        case .null: try single.encodeNil()
        case .bool(let flag): try single.encode(flag)
        case .integer(let integer): try single.encode(integer)
        case .unsigned(let integer): try single.encode(integer)
        case .number(let number): try single.encode(number)
        case .string(let text): try single.encode(text)
        case .array(let array): try single.encode(array)
        case .object(let object): try single.encode(object)
        }
    }

    private struct MemberName: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

extension QMPValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral text: String) { self = .string(text) }
    public init(booleanLiteral flag: Bool) { self = .bool(flag) }
    public init(integerLiteral integer: Int64) { self = .integer(integer) }
    public init(arrayLiteral elements: QMPValue...) { self = .array(elements) }
    public init(dictionaryLiteral members: (String, QMPValue)...) {
        self = .object(Dictionary(members, uniquingKeysWith: { _, last in last }))
    }
}

extension QMPValue {
    public var stringValue: String? { if case .string(let text) = self { text } else { nil } }
    public var boolValue: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    public var integerValue: Int64? { if case .integer(let integer) = self { integer } else { nil } }
    public subscript(member: String) -> QMPValue? { if case .object(let object) = self { object[member] } else { nil } }
}
