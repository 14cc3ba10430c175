import ClusterModel

/// What one node knows of the partition it is in, at one moment.
public struct PartitionFacts: Hashable, Sendable {
    /// votequorum's last word.
    public var isVotequorumQuorate: Bool
    /// False from a new ring until votequorum has spoken about that ring: its last word is about the ring before.
    public var isRingDecided: Bool
    /// Whether an epoch of the log is open here, for this ring.
    public var isEpochOpen: Bool
    public init(isVotequorumQuorate: Bool, isRingDecided: Bool, isEpochOpen: Bool) {
        self.isVotequorumQuorate = isVotequorumQuorate
        self.isRingDecided = isRingDecided
        self.isEpochOpen = isEpochOpen
    }
    /// Both counts agree, about this ring.
    public var isOpen: Bool { isVotequorumQuorate && isRingDecided && isEpochOpen }
    /// Quorum is known to be lost, not merely unknown.
    public var isLost: Bool { isRingDecided && !isVotequorumQuorate }
}

/// A machine on this node, as its QEMU says.
public struct LocalMachineFact: Hashable, Sendable {
    public enum Execution: String, Hashable, Sendable, CaseIterable {
        case running, paused
        /// Paused by QEMU because a disk failed.
        case ioError
        /// A QEMU that waits for a migration, or is receiving one.
        case incoming
    }
    public var name: VMName
    public var execution: Execution
    /// The epoch under which it was started or received here.
    public var epoch: UInt64
    /// It is being moved away. Whether it runs on here is then for the rules of migrations to say: while it is not known whether another
    /// node became its owner, it must not be resumed.
    public var isLeaving: Bool
    public init(name: VMName, execution: Execution, epoch: UInt64, isLeaving: Bool = false) {
        self.name = name
        self.execution = execution
        self.epoch = epoch
        self.isLeaving = isLeaving
    }
}

/// What a node does to one of its machines.
public enum PartitionAction: Hashable, Sendable {
    case pause(VMName)
    case resume(VMName)
    case stop(VMName, reason: String)
}

/// Keeps the machines of one node within quorum: pauses them when it is lost, stops them when it stays lost, resumes them when it
/// returns and they are still this node's.
///
/// Time comes in as an argument and must be monotonic; calling again with the same facts repeats what was not done yet.
public struct PartitionGuard: Hashable, Sendable {
    /// How long "not known yet" may last before it is treated as lost.
    ///
    /// Safety does not rest on it: the other side fences this node before it starts anything of it. What this bounds is how long a
    /// guest may answer on the network beside its successor. Taking the witness over lasts up to 3 s, and in that time a surviving
    /// node should not pause its guests, hence more than 3; votequorum waits at most 5 s (`sync_timeout`) for its devices, hence less.
    public static let undecidedLimit = Duration.seconds(4)

    public enum Phase: Hashable, Sendable {
        case open
        /// A new ring, or no epoch yet. Nothing starts; what runs goes on.
        case undecided(since: Duration)
        case paused(since: Duration)
        case stopped
    }
    public private(set) var phase: Phase
    /// What this guard paused, and so may resume.
    public private(set) var pausedHere: Set<VMName> = []

    /// A node begins without knowing anything.
    public init(now: Duration) { phase = .undecided(since: now) }

    /// Whether this node may start machines, take ownership and accept changes.
    public var mayStart: Bool { phase == .open }

    /// - Parameters:
    ///   - machines: Every QEMU here.
    ///   - owned: What the log says this node owns, with the epoch, and is to run. Only looked at while an epoch is open.
    /// - Returns: In the order of the names.
    public mutating func step(
        _ facts: PartitionFacts, now: Duration, machines: [LocalMachineFact], owned: [VMName: UInt64], secondsUntilStop: Int
    ) -> [PartitionAction] {
        move(facts, now: now, secondsUntilStop: secondsUntilStop)
        let machines = machines.sorted { $0.name < $1.name }
        pausedHere.formIntersection(machines.map(\.name))
        switch phase {
        case .undecided:
            return []
        case .open:
            return machines.compactMap { machine in
                // What the guard did not pause is not the guard's: an operator or a migration paused it.
                guard pausedHere.contains(machine.name), !machine.isLeaving else { return nil }
                guard owned[machine.name] == machine.epoch else {
                    return .stop(
                        machine.name, reason: "\(machine.name) is no longer this node's to run: that changed while the node had no quorum.")
                }
                guard machine.execution == .paused else {
                    pausedHere.remove(machine.name)
                    return nil
                }
                return .resume(machine.name)
            }
        case .paused:
            return machines.compactMap { machine in
                guard machine.execution == .running else { return nil }
                pausedHere.insert(machine.name)
                return .pause(machine.name)
            }
        case .stopped:
            return machines.map { .stop($0.name, reason: "This node has been without quorum for \(secondsUntilStop) s.") }
        }
    }

    private mutating func move(_ facts: PartitionFacts, now: Duration, secondsUntilStop: Int) {
        if facts.isOpen {
            phase = .open
            return
        }
        switch phase {
        case .open: phase = facts.isLost ? .paused(since: now) : .undecided(since: now)
        case .undecided(let since):
            if facts.isLost || now - since >= Self.undecidedLimit { phase = .paused(since: now) }
        case .paused, .stopped: break
        }
        if case .paused(let since) = phase, now - since >= .seconds(secondsUntilStop) { phase = .stopped }
    }
}
