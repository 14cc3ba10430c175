import ClusterModel

/// What went wrong with a request: what happened, on which node, and what to do, in sentences an operator can act on.
public struct APIError: Error, Hashable, Sendable, Codable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable, Codable, CaseIterable {
        /// The request itself is wrong; HTTP 400.
        case invalid
        /// The caller may not do this; HTTP 403.
        case forbidden
        /// The caller's node is no member any more; HTTP 403.
        case evicted
        /// HTTP 404.
        case notFound = "not-found"
        /// The request is right, the state of things does not allow it; HTTP 409.
        case refused
        /// The node does as much at a time as it may; try again in a moment; HTTP 429.
        case busy
        /// A node, QEMU or the SAN failed; HTTP 500.
        case failed
        /// A node or the SAN does not answer; HTTP 503.
        case unreachable
        /// A deadline passed; HTTP 504.
        case timeout
    }
    public var code: Code
    public var message: String
    /// The node that says so.
    public var node: NodeName?

    public init(_ code: Code, _ message: String, node: NodeName? = nil) {
        self.code = code
        self.message = message
        self.node = node
    }
    public var description: String { message }

    public var httpStatus: Int {
        switch code {
        case .invalid: 400
        case .forbidden, .evicted: 403
        case .notFound: 404
        case .refused: 409
        case .busy: 429
        case .failed: 500
        case .unreachable: 503
        case .timeout: 504
        }
    }
}
