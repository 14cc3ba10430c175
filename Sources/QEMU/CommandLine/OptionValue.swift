/// The value of a QEMU option in its JSON form, with the members in the order they were given.
///
/// `-device`, `-blockdev`, `-netdev` and `-object` take JSON (QEMU 7.2, qemu(1)), where text is text: nothing in it can end an option
/// or start another one.
enum OptionValue: Hashable, Sendable, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByDictionaryLiteral
{
    case text(String)
    case number(UInt64)
    case flag(Bool)
    case group([Member])

    struct Member: Hashable, Sendable {
        var name: String
        var value: OptionValue
    }

    init(stringLiteral value: String) { self = .text(value) }
    init(booleanLiteral value: Bool) { self = .flag(value) }
    init(integerLiteral value: UInt64) { self = .number(value) }
    init(dictionaryLiteral elements: (String, OptionValue)...) {
        self = .group(elements.map { Member(name: $0.0, value: $0.1) })
    }

    /// Adds a member; meaningful for groups only.
    func adding(_ name: String, _ value: OptionValue) -> OptionValue {
        guard case .group(let members) = self else { return self }
        return .group(members + [Member(name: name, value: value)])
    }

    /// RFC 8259.
    var json: String {
        switch self {
        case .text(let text): Self.quoted(text)
        case .number(let number): String(number)
        case .flag(let flag): flag ? "true" : "false"
        case .group(let members):
            "{" + members.map { Self.quoted($0.name) + ":" + $0.value.json }.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// Text inside an option that has no JSON form (`-chardev`, `-vnc`, `-machine`): there a comma starts the next member, and two
/// commas stand for one (QEMU documentation, "Keyval syntax").
func keyvalText(_ text: String) -> String {
    text.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
}
