import Foundation

/// One line from QEMU (qmp-spec.txt, section 2).
enum QMPMessage {
    case greeting(QMPGreeting)
    /// The reply's value stays undecoded: whoever asked knows its type.
    case success(id: ID)
    case failure(id: ID, class: String, text: String)
    case event(QMPEvent)

    /// The `id` of a reply: QEMU repeats what the command carried.
    enum ID: Hashable {
        case absent
        case text(String)
        /// Something this client never sends.
        case foreign
    }

    /// A line that is no message.
    struct Invalid: Error, Hashable {
        var reason: String
    }

    /// How deep arrays and objects may nest. The deepest replies are backing chains of images, a level or two per image.
    static let maximumDepth = 256
    /// The largest event that is accepted, in bytes, so that a full queue of events stays small. Real ones have some hundred.
    static let maximumEventBytes = 64 << 10

    init(line: Data) throws(Invalid) {
        guard Self.depth(of: line) <= Self.maximumDepth else {
            throw Invalid(reason: "a message nests deeper than \(Self.maximumDepth) levels")
        }
        do {
            let decoder = JSONDecoder()
            switch try decoder.decode(Envelope.self, from: line) {
            case .greeting(let greeting): self = .greeting(greeting)
            case .success(let id): self = .success(id: id)
            case .failure(let id, let refusal): self = .failure(id: id, class: refusal.class, text: refusal.desc)
            case .event:
                guard line.count <= Self.maximumEventBytes else {
                    throw Invalid(reason: "an event has \(line.count) bytes, the limit is \(Self.maximumEventBytes)")
                }
                self = .event(try decoder.decode(QMPEvent.self, from: line))
            }
        } catch let invalid as Invalid {
            throw invalid
        } catch {
            throw Invalid(reason: "a message of \(line.count) bytes cannot be read: \(DecodingProblem.describe(error))")
        }
    }

    /// The deepest nesting, found without recursion, so that a hostile line cannot exhaust the stack of the decoder.
    static func depth(of line: Data) -> Int {
        var depth = 0
        var deepest = 0
        var inString = false
        var escaped = false
        line.withUnsafeBytes { bytes in
            for byte in bytes {
                if inString {
                    if escaped {
                        escaped = false
                    } else if byte == UInt8(ascii: "\\") {
                        escaped = true
                    } else if byte == UInt8(ascii: "\"") {
                        inString = false
                    }
                    continue
                }
                switch byte {
                case UInt8(ascii: "\""): inString = true
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    depth += 1
                    deepest = max(deepest, depth)
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
            }
        }
        return deepest
    }
}

/// Tells the four kinds of message apart by the member that only one of them has.
private enum Envelope: Decodable {
    case greeting(QMPGreeting)
    case success(QMPMessage.ID)
    case failure(QMPMessage.ID, Refusal)
    /// Not decoded yet: its size is checked first.
    case event

    struct Refusal: Decodable {
        var `class`: String
        var desc: String
    }

    private enum Keys: String, CodingKey {
        case greeting = "QMP"
        case event, id, `return`, error
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Keys.self)
        if members.contains(.event) {
            self = .event
        } else if members.contains(.error) {
            self = .failure(Self.id(in: members), try members.decode(Refusal.self, forKey: .error))
        } else if members.contains(.return) {
            self = .success(Self.id(in: members))
        } else if members.contains(.greeting) {
            self = .greeting(try members.decode(QMPGreeting.self, forKey: .greeting))
        } else {
            throw QMPMessage.Invalid(reason: "a message is neither a greeting, a reply, an error nor an event")
        }
    }

    private static func id(in members: KeyedDecodingContainer<Keys>) -> QMPMessage.ID {
        guard members.contains(.id) else { return .absent }
        do { return .text(try members.decode(String.self, forKey: .id)) } catch { return .foreign }
    }
}

/// Says in one phrase what a JSON decoder stumbled over.
enum DecodingProblem {
    static func describe(_ error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.isEmpty ? "the message" : path.map(\.stringValue).joined(separator: ".")
        }
        return switch error as? DecodingError {
        case .keyNotFound(let key, let context): "\(place(context.codingPath + [key])) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "\(place(context.codingPath)): \(context.debugDescription)"
        case nil: "\(error)"
        @unknown default: "\(error)"
        }
    }
}
