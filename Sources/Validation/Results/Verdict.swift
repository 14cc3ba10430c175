/// How a test, or a part of it, ended.
public enum Verdict: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
    case notApplicable = "not-applicable"
    case pass
    case warning
    /// The operator ended the run before this was decided.
    case cancelled
    case failure

    public var title: String {
        switch self {
        case .notApplicable: "Not applicable"
        case .pass: "Pass"
        case .warning: "Warning"
        case .cancelled: "Cancelled"
        case .failure: "Failure"
        }
    }

    /// Rises with how much the operator must know of it.
    public var severity: Int {
        switch self {
        case .notApplicable: 0
        case .pass: 1
        case .warning: 2
        case .cancelled: 3
        case .failure: 4
        }
    }
    public static func < (left: Self, right: Self) -> Bool { left.severity < right.severity }
}
