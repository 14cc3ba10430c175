/// A line that `CorosyncProbe` printed: an event or a reply. Each has some of these.
struct ProbeLine: Decodable, Sendable {
    /// CLOCK_MONOTONIC in microseconds.
    var at: Int
    var event: String?
    var reply: String?
    var ok: Bool?
    var error: String?
    var members: [Int]?
    var nodes: [Int]?
    var left: [String]?
    var joined: [String]?
    var count: Int?
    var order: String?
    var ring: String?
    var from: Int?
    var text: String?
    var bytes: Int?
    var quorate: Bool?
    var votes: Int?
    var expected: Int?
    var highest: Int?
    var total: Int?
    var quorum: Int?
    var deviceVotes: Int?
    var value: String?
    var values: [String: String]?
    var links: [String]?
    var state: String?
    var sent: Int?
    var busy: Int?
}
