import ClusterModel

/// One call of the API: how it is addressed, what goes in, what comes out, who may make it.
///
/// The server registers its routes from these, the client makes its calls from them, and `/openapi.json` is written from them.
public struct Endpoint<Request: Described, Reply: Described>: Sendable {
    public let description: EndpointDescription

    /// - Parameters:
    ///   - path: Parameters stand in braces: `/v1/machines/{name}`.
    ///   - deadline: How long a client waits for the whole reply. Longer than the operation's own deadlines, so that the node's
    ///     explanation arrives before the client gives up.
    init(
        _ method: EndpointDescription.Method, _ path: String, _ summary: String, for callers: EndpointDescription.Callers,
        deadline: Duration, replies form: EndpointDescription.ReplyForm = .json, maxRequestBytes: Int = 4 << 20
    ) {
        description = EndpointDescription(
            method: method, path: path, summary: summary, callers: callers, deadline: deadline,
            request: Request.self == NoContent.self ? nil : Request.self, reply: Reply.self,
            replyForm: Reply.self == NoContent.self ? .none : form, maxRequestBytes: maxRequestBytes)
    }
}

/// An ``Endpoint`` without its types: a line of the table.
public struct EndpointDescription: Sendable, CustomStringConvertible {
    public enum Method: String, Hashable, Sendable, CaseIterable {
        case get = "GET"
        case post = "POST"
        case delete = "DELETE"
    }
    public enum Callers: String, Hashable, Sendable {
        /// Root on the node's socket, administrators and nodes of the cluster.
        case operators
        /// Root on the node's socket and nodes of the cluster.
        case peers
        /// Root on the node's socket alone.
        case root
        /// Whoever knows the secret that the request must bear; no certificate is asked for.
        case joiners
    }
    public enum ReplyForm: Hashable, Sendable {
        /// HTTP 204.
        case none
        case json
        /// `application/x-ndjson`: one JSON value a line, sent as it happens. An empty line only says that the node is still there.
        case lines
    }

    public var method: Method
    public var path: String
    public var summary: String
    public var callers: Callers
    public var deadline: Duration
    /// nil when the request has no body.
    public var request: (any Described.Type)?
    public var reply: any Described.Type
    public var replyForm: ReplyForm
    /// Longer bodies are refused with HTTP 413.
    public var maxRequestBytes: Int

    public var description: String { "\(method.rawValue) \(path)" }

    /// The names in braces, in order.
    public var parameters: [String] {
        segments.compactMap { segment in segment.hasPrefix("{") ? String(segment.dropFirst().dropLast()) : nil }
    }

    /// The path with its parameters filled in, in order. Values are names and UUIDs, which need no escapes in a URL.
    public func path(_ values: [String]) -> String {
        precondition(values.count == parameters.count, "\(self) takes \(parameters.count) parameters, not \(values.count)")
        var values = values[...]
        return "/" + segments.map { segment in segment.hasPrefix("{") ? values.removeFirst() : String(segment) }.joined(separator: "/")
    }

    /// Whether a concrete path has this shape.
    public func matches(path concrete: some StringProtocol) -> Bool {
        let parts = concrete.split(separator: "/")
        return parts.count == segments.count
            && zip(segments, parts).allSatisfy { segment, part in segment.hasPrefix("{") || segment[...] == part[...] }
    }

    private var segments: [Substring] { path.split(separator: "/") }
}
