import ClusterModel
import ClusterRules

/// One node: its disk lives on, its process and what that knows do not.
public struct SimulatedNode<State: ReplicatedState>: Sendable {
    public let id: NodeID
    public internal(set) var disk = SimulatedDisk()
    /// Corosync runs.
    public internal(set) var isUp = true
    /// The service does not get on, though it is in the group.
    public internal(set) var isHung = false
    /// It lost its sessions to the SAN: nothing reaches the witness from here.
    public internal(set) var isCutFromSAN = false
    /// Its process's clock: begins with the process, and jumps when the whole node stood still.
    var clockOffset = Duration.zero
    public internal(set) var member: GroupMember?
    public internal(set) var log: ConfigurationLog?
    public internal(set) var state = State()
    public internal(set) var status: LogStatus?
    /// Requests that wait for their answer.
    public internal(set) var waiting: Set<RequestID> = []
    public internal(set) var answers: [RequestID: ProposalResult] = [:]

    enum Incoming: Sendable {
        case message(GroupMember, LogMessage)
        case group([GroupMember])
        case event(LogEvent)
    }
    var inbox = Queue<Incoming>()
    var outbox = Queue<LogMessage>()
    /// The first message of its ring that its process sees.
    var joinedAt = 0
    var nextNumber: UInt64 = 0
    var isRunning: Bool { log != nil }
    var isForcedElsewhere: Bool {
        if case .forcedElsewhere? = status?.phase { true } else { false }
    }
}

/// First in, first out.
struct Queue<Element: Sendable>: Sendable {
    private var elements: [Element] = []
    private var head = 0
    var isEmpty: Bool { head == elements.count }
    var count: Int { elements.count - head }
    mutating func add(_ element: Element) { elements.append(element) }
    mutating func next() -> Element? {
        guard head < elements.count else { return nil }
        defer {
            head += 1
            if head == elements.count || head >= 256 {
                elements.removeFirst(head)
                head = 0
            }
        }
        return elements[head]
    }
    mutating func clear() {
        elements = []
        head = 0
    }
}
