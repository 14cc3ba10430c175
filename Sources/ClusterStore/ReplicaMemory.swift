/// Whether a replica remembers everything it ever promised and acknowledged: what decides if it may be counted.
///
/// **The danger.** Two of three nodes, A and B, acknowledge an entry. A loses its database and comes back empty. A and C, which never
/// saw the entry, now look like a majority, and they would go on without it: an acknowledged change is lost. An empty promise is as bad:
/// A may have promised an epoch that it no longer knows of.
///
/// **The rule.** A replica that is not ``whole`` may be told everything and may not be counted: its promise is no vote, its position
/// says nothing about what was committed. It is whole again once it adopted the log of an epoch that a majority *without it* promised: such
/// a majority has a member in common with each one that ever committed anything with this replica's lost vote. The store makes it whole
/// with the first ``DurableChange/adopt(_:)``, so the log rules must not let it adopt an epoch that was opened with its own promise. That
/// also holds for the founder of a cluster, whose first log is adopted without asking anybody.
public enum ReplicaMemory: String, Hashable, Sendable, Codable {
    /// Everything ever acknowledged is here.
    case whole
    /// Never held anything, as far as can be seen: a node that is just joining, or one whose folder was removed as a whole.
    case fresh
    /// There was a database, and it was damaged or has vanished.
    case lost

    /// Whether this replica's promises and acknowledgements count.
    public var counts: Bool { self == .whole }
}
