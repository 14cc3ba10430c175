import Foundation

/// How commands and the state become bytes: JSON with sorted keys, so that equal values are equal bytes on every node.
public enum ClusterCoding {
    /// The newest format this version writes, and reads.
    public static let version = 1

    /// A command with what is needed to apply it.
    public static func bytes(of proposal: CommandProposal) throws(ClusterCodingError) -> [UInt8] {
        try encode(Versioned(version: version, content: proposal))
    }
    public static func proposal(from bytes: [UInt8]) throws(ClusterCodingError) -> CommandProposal {
        try decode(CommandProposal.self, from: bytes, noun: "entry of the log")
    }

    public static func bytes(of state: ClusterState) throws(ClusterCodingError) -> [UInt8] {
        try encode(Versioned(version: version, content: state))
    }
    /// No bytes are the state before the first entry.
    public static func state(from bytes: [UInt8]) throws(ClusterCodingError) -> ClusterState {
        bytes.isEmpty ? ClusterState() : try decode(ClusterState.self, from: bytes, noun: "copy of the configuration")
    }

    private struct Versioned<Content: Codable>: Codable {
        var version: Int
        var content: Content

        init(version: Int, content: Content) {
            self.version = version
            self.content = content
        }
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            // The number first: what a newer version wrote need not look like anything known here.
            version = try container.decode(Int.self, forKey: .version)
            guard version == ClusterCoding.version else { throw OtherVersion(found: version) }
            content = try container.decode(Content.self, forKey: .content)
        }
    }
    private struct OtherVersion: Error {
        var found: Int
    }

    private static func encode(_ value: some Encodable) throws(ClusterCodingError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return [UInt8](try encoder.encode(value)) } catch { throw .notEncodable("\(error)") }
    }

    private static func decode<Content: Codable>(
        _ type: Content.Type, from bytes: [UInt8], noun: String
    ) throws(ClusterCodingError) -> Content {
        do { return try JSONDecoder().decode(Versioned<Content>.self, from: Data(bytes)).content } catch let error as OtherVersion {
            guard error.found > version else { throw .unreadable(noun: noun, problem: "its version is \(error.found)") }
            throw .newer(noun: noun, found: error.found, known: version)
        } catch {
            throw .unreadable(noun: noun, problem: "\(error)")
        }
    }
}

/// A command on its way through the log: the bytes of ``LogEntry/payload``.
public struct CommandProposal: Hashable, Sendable, Codable {
    /// By the clock of the node that proposed it.
    public var time: WallTime
    /// Who asked, in words for the history: "root on node1", "administrator anna". Nil when the cluster itself did.
    public var requestedBy: String?
    public var command: ClusterCommand
    public init(time: WallTime, requestedBy: String? = nil, command: ClusterCommand) {
        self.time = time
        self.requestedBy = requestedBy
        self.command = command
    }
}

/// Bytes that are no configuration. A node that meets them stops applying the log: going on without the entry would leave it
/// with another configuration than the others.
public enum ClusterCodingError: Error, Hashable, CustomStringConvertible {
    case newer(noun: String, found: Int, known: Int)
    case unreadable(noun: String, problem: String)
    case notEncodable(String)

    public var description: String {
        switch self {
        case .newer(let noun, let found, let known):
            "The \(noun) has format \(found), this version of Apus reads up to \(known). Update Apus on this node; it takes no part until then."
        case .unreadable(let noun, let problem):
            "The \(noun) cannot be read: \(problem). The node fetches the configuration from another one; if this repeats, report it."
        case .notEncodable(let problem):
            "The change cannot be encoded: \(problem). Nothing was changed; report this."
        }
    }
}
