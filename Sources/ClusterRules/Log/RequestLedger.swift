import ClusterModel

/// The last request of each node that the log holds: what makes a request that is sent twice count once.
///
/// A node numbers its requests upwards and sends again, in order, what was not answered. So a number that is not above the last one has
/// been in the log already, or never will be.
struct RequestLedger: Hashable, Sendable {
    /// Sorted by node.
    private(set) var last: [RequestID] = []

    init(_ requests: [RequestID] = []) {
        for request in requests { record(request) }
    }

    private func place(of node: NodeID) -> Int { last.firstIndex { $0.node >= node } ?? last.count }

    /// Whether a request may still be added.
    func isNew(_ request: RequestID) -> Bool {
        let place = place(of: request.node)
        guard place < last.count, last[place].node == request.node, last[place].incarnation == request.incarnation else { return true }
        return request.number > last[place].number
    }
    mutating func record(_ request: RequestID) {
        let place = place(of: request.node)
        if place < last.count, last[place].node == request.node { last[place] = request } else { last.insert(request, at: place) }
    }
}

/// What ``ReplicaImage/snapshot`` holds: the state of the owner, and who asked what last.
struct LogSnapshot: Hashable, Sendable {
    var requests = RequestLedger()
    var state: [UInt8] = []

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: state.count + 64)
        writer.write(UInt8(1))
        writer.write(list: requests.last) { $0.write($1) }
        writer.write(state)
        return writer.bytes
    }
    /// - Parameter bytes: Empty before the first snapshot.
    static func decode(_ bytes: [UInt8]) throws(CodingError) -> LogSnapshot {
        var snapshot = LogSnapshot()
        guard !bytes.isEmpty else { return snapshot }
        var reader = ByteReader(bytes)
        let version: UInt8 = try reader.read()
        guard version == 1 else { throw .version(version) }
        for request in try reader.readList(minimum: 18, { reader throws(CodingError) in try reader.readRequest() }) {
            snapshot.requests.record(request)
        }
        snapshot.state = try reader.readBytes(limit: LogLimits.imageBytes)
        try reader.finish()
        return snapshot
    }
}

/// Sizes that nothing exceeds.
public enum LogLimits {
    /// The largest command. One that is larger is refused; Corosync carries messages below 1 MB.
    public static let payloadBytes = 512 << 10
    /// The largest image of a replica.
    public static let imageBytes = 256 << 20
    /// How much of an image one message carries.
    public static let chunkBytes = 192 << 10
    /// Chunks on the way to one node at a time.
    public static let chunksInFlight = 4
    /// How much of new entries one message carries, unless a single one is larger.
    static let appendBytes = 256 << 10
    /// Proposals that the leader holds back while entries are not committed yet.
    static let proposalsHeldBack = 256
    /// Proposals of this node that wait for their answer.
    static let waitingRequests = 4096
    static let waitingBytes = 64 << 20
    /// What is kept of delivered entries while the log before them is still on its way.
    static let heldBackBytes = 64 << 20
}
