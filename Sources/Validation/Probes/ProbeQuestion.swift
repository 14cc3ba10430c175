/// Something that a node is asked to look at or to try for a validation. It crosses the API as JSON, its evidence too.
///
/// The value holds what the node must know for it. What it means is judged elsewhere, by whoever asked: a probe only tells what it saw.
public protocol ProbeQuestion: Codable, Sendable {
    associatedtype Evidence: Codable & Sendable
    /// Under this name the node finds the probe: lower-case letters and hyphens, never changed.
    static var name: String { get }
}

/// Everything that the node can find out about itself without disturbing anybody.
public struct InventoryQuestion: ProbeQuestion {
    public typealias Evidence = NodeInventory
    public static let name = "inventory"
    /// Mount points of file shares that the run is about.
    public var shares: [String]
    public init(shares: [String] = []) { self.shares = shares }
}

/// Ends the run on the node: whatever its probes still hold is given back.
public struct FinishQuestion: ProbeQuestion {
    public struct Evidence: Codable, Hashable, Sendable {
        /// What had to be given back, in clauses: "closed the UDP listener on 10.0.0.1 port 5405".
        public var givenBack: [String]
        /// What could not be given back and why, in sentences.
        public var problems: [String]
        public init(givenBack: [String], problems: [String]) {
            self.givenBack = givenBack
            self.problems = problems
        }
    }
    public static let name = "finish"
    public init() {}
}
