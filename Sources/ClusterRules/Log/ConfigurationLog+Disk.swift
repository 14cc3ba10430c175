import ClusterModel

/// What waits to become durable. One step at a time is on its way to the disk; all that comes meanwhile goes into the next one.
struct DurableQueue: Sendable {
    struct Step: Sendable {
        var token: UInt64
        var promise: UInt64?
        /// The log of this epoch up to this entry.
        var acknowledgement: (epoch: UInt64, index: UInt64)?
        var index: UInt64
        var commit: UInt64
        var isAdoption: Bool
        var hasEntries: Bool
    }
    var promise: UInt64?
    /// The whole log has to be stored, under its epoch.
    var adopt = false
    /// It lacks entries that were committed here: a forced quorum.
    var replaces = false
    var snapshot: (state: [UInt8], index: UInt64)?
    /// The last entry that was handed to the disk, and the last that is durable.
    var queuedIndex: UInt64 = 0
    var storedIndex: UInt64 = 0
    var storedCommit: UInt64 = 0
    var inFlight: Step?
    var failure: String?
    var retryAt = Duration.zero
    /// What the newest durable step says to the session.
    var acknowledgement: (epoch: UInt64, index: UInt64)?
    var carriesOnlyEntries: Bool { inFlight.map { !$0.isAdoption } ?? true }
}

extension ConfigurationLog {
    /// Something waits to become durable.
    var hasDiskWork: Bool { disk.adopt || disk.promise != nil || log.lastIndex > disk.queuedIndex || disk.snapshot != nil }

    /// Hands the next step to the disk, if none is on its way.
    mutating func persistNext(isRetry: Bool = false) {
        let (hasEntries, hasWork) = (log.lastIndex > disk.queuedIndex, hasDiskWork)
        guard disk.inFlight == nil, disk.failure == nil || isRetry else { return }
        // A commit mark alone saves little; it goes along, or at leisure.
        guard hasWork || (committed > disk.storedCommit && committed >= disk.storedCommit + 64) else { return }

        var changes: [DurableChange] = []
        var step = DurableQueue.Step(
            token: token(), promise: nil, acknowledgement: nil, index: log.lastIndex, commit: min(committed, log.lastIndex),
            isAdoption: disk.adopt, hasEntries: hasEntries)
        if disk.adopt {
            let image = log.image(committed: committed)
            changes.append(disk.replaces ? .replace(image) : .adopt(image))
        } else {
            if hasEntries { changes.append(.append(Array(log.entries(after: disk.queuedIndex, through: log.lastIndex)))) }
            if step.commit > disk.storedCommit { changes.append(.commit(index: step.commit)) }
            if let snapshot = disk.snapshot, snapshot.index <= step.commit {
                changes.append(.snapshot(state: snapshot.state, index: snapshot.index))
            }
            if let promise = disk.promise {
                changes.append(.promise(epoch: promise))
                step.promise = promise
            }
        }
        if hasAdopted { step.acknowledgement = (log.adopted, log.lastIndex) }
        disk.promise = nil
        disk.adopt = false
        disk.snapshot = nil
        disk.queuedIndex = log.lastIndex
        disk.inFlight = step
        effects.append(.persist(changes, token: step.token))
    }

    mutating func persisted(_ token: UInt64) {
        guard let step = disk.inFlight, step.token == token else { return }
        disk.inFlight = nil
        disk.storedIndex = step.index
        disk.storedCommit = step.isAdoption ? step.commit : max(step.commit, disk.storedCommit)
        if step.isAdoption {
            remembers = true
            disk.replaces = false
        }
        let recovered = disk.failure != nil
        disk.failure = nil
        if let epoch = step.promise, session?.begin?.epoch == epoch { send(.promised(epoch: epoch, witness: false)) }
        if let done = step.acknowledgement, hasAdopted, session?.begin?.epoch == done.epoch {
            acknowledge(epoch: done.epoch, index: done.index, witness: false)
        }
        if recovered, session?.isOpen != true { startRound(leavingOut: session?.leftOut ?? []) }
    }

    /// This replica does not acknowledge any more, and says so. As a member it goes on: the others do not need its disk.
    mutating func persistFailed(_ token: UInt64, _ reason: String) {
        guard let step = disk.inFlight, step.token == token else { return }
        disk.inFlight = nil
        disk.failure = reason
        disk.retryAt = now + settings.retryWait
        disk.queuedIndex = disk.storedIndex
        // Entries and logs come back as the whole log. A commit mark or a snapshot may be missing without harm, and between a promise and
        // its epoch's log the old log cannot be stored anew.
        disk.adopt = disk.adopt || step.isAdoption || step.hasEntries
        if let promise = step.promise { disk.promise = max(promise, disk.promise ?? 0) }
    }

    mutating func retryDisk() {
        guard disk.failure != nil, disk.inFlight == nil, now >= disk.retryAt else { return }
        disk.retryAt = now + settings.retryWait
        // The whole log at once: how far the disk got is not known, only that no step happened by half.
        if log.adopted == log.promised { disk.adopt = true }
        if disk.adopt { disk.promise = nil }
        if hasDiskWork {
            persistNext(isRetry: true)
        } else {
            // Nothing is missing on the disk; whether it works shows with the next step.
            disk.failure = nil
            if session?.isOpen != true { startRound(leavingOut: session?.leftOut ?? []) }
        }
    }
}
