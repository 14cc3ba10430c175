/// What an operator asks for as the cluster's witness. Written `auto`, `none`, `disk:ID` or `share:PATH`.
public enum WitnessChoice: Hashable, Sendable, Codable, CustomStringConvertible {
    /// As the number of nodes asks for: the first shared disk when it is even, none when it is odd.
    case auto
    case none
    case disk(DiskID)
    /// A folder on a file share, mounted at this path on every node.
    case share(String)

    /// - Returns: nil when the text is none of the four forms.
    public init?(_ text: String) {
        switch text {
        case "auto": self = .auto
        case "none": self = .none
        default:
            guard let colon = text.firstIndex(of: ":") else { return nil }
            let rest = String(text[text.index(after: colon)...])
            switch text[..<colon] {
            case "disk" where !rest.isEmpty: self = .disk(DiskID(rest))
            case "share" where rest.hasPrefix("/"): self = .share(rest)
            default: return nil
            }
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let choice = WitnessChoice(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is no witness; write auto, none, disk:ID or share:/PATH.")
        }
        self = choice
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public var description: String {
        switch self {
        case .auto: "auto"
        case .none: "none"
        case .disk(let disk): "disk:\(disk)"
        case .share(let path): "share:\(path)"
        }
    }
}
