import ClusterModel

/// What one node knows of another one's heartbeats: bounds of when the last one reached the disk.
struct HeartbeatTrack: Hashable, Sendable {
    private(set) var beat: ArbitrationBeat?
    /// The last one had reached the disk by then. At first: since then nothing has been seen.
    private(set) var seenAt: Duration
    /// The last one reached the disk after this instant; nil as long as only one was seen.
    private(set) var writtenAfter: Duration?
    /// When the last beat that claimed the witness was first seen.
    private(set) var claimSeenAt: Duration?
    /// When the last read was sent that showed what is current.
    private var confirmedAt: Duration

    init(_ beat: ArbitrationBeat?, readAt: Duration, completedAt: Duration) {
        self.beat = beat
        seenAt = completedAt
        confirmedAt = readAt
        claimSeenAt = beat?.claims == true ? completedAt : nil
    }

    /// - Parameter new: Nil when the sector was blank or unreadable, which says nothing.
    mutating func update(_ new: ArbitrationBeat?, readAt: Duration, completedAt: Duration) {
        guard let new else { return }
        guard new != beat else {
            confirmedAt = readAt
            return
        }
        // After a sector that could not be read the same old beat may come back; only a change from one beat to another is a sign of life.
        writtenAfter = beat == nil ? nil : confirmedAt
        beat = new
        seenAt = completedAt
        confirmedAt = readAt
        if new.claims { claimSeenAt = completedAt }
    }
}
