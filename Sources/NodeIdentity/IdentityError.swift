import Foundation

/// Why certificates cannot be made or used.
public enum IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    case badAddress(String)
    case encoding(String)
    case unreadable(String)
    case unwritable(String, String)
    case malformed(String, String)
    case keyMismatch(String, String)
    case foreignAuthority(String, String)
    case expired(String, Date)
    case notYetValid(String, Date)
    case wrongNode(String, expected: String, found: [String])

    public var description: String {
        switch self {
        case .badAddress(let text): "\"\(text)\" is no IPv4 or IPv6 address."
        case .encoding(let reason): "The certificate cannot be made: \(reason)."
        case .unreadable(let file): "\(file) cannot be read. Put the node's certificates there, readable by root."
        case .unwritable(let file, let reason): "\(file) cannot be written: \(reason)."
        case .malformed(let file, let reason): "\(file) cannot be used: \(reason). Issue the node's certificates again."
        case .keyMismatch(let certificate, let key):
            "\(certificate) and \(key) do not belong together. Issue the node's certificates again, both at once."
        case .foreignAuthority(let certificate, let authority):
            "\(certificate) was not issued by the authority in \(authority). Use certificates of one cluster only."
        case .expired(let file, let date): "\(file) expired on \(date.formatted(.iso8601)). Issue a new one."
        case .notYetValid(let file, let date):
            "\(file) is valid from \(date.formatted(.iso8601)) on, which is in the future. Check the clock of this node."
        case .wrongNode(let file, let expected, let found):
            "\(file) is for \(found.isEmpty ? "no node" : found.joined(separator: ", ")), this node is \(expected). Issue one for \(expected)."
        }
    }
}
