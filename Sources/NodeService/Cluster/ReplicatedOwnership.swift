import ClusterAPI
import ClusterModel
import ClusterRules
import Forming
import Foundation
import Logging
import Membership

/// The replicated configuration says who may run a machine; the record on the shared disk follows it.
///
/// The order is always the same: an entry of the log, then the record. So the disk is never ahead of a log that is whole, and whoever may
/// run a machine finds its own name in both.
struct ReplicatedOwnership: OwnershipLog {
    /// How long the log may take to show here what another node was told of already.
    private static let skew = Duration.seconds(2)
    /// How long an operator waits for the outcome of an order whose answer was lost.
    private static let patience = Duration.seconds(60)
    /// How long one order to hand over waits for its answer. Short, because it is sent again by itself when an epoch opens until then, and
    /// whether it is still wanted depends on who is there. One that is not answered costs no more than ``reflection``.
    private static let answer = Duration.milliseconds(500)
    /// After an order without an answer: until then Corosync has noticed a node that is gone.
    private static let reflection = Duration.seconds(3)

    let node: NodeName
    let engine: MemberRunner
    let storage: StorageAccess
    let logger: Logger

    // MARK: Reading

    func read(_ machine: VirtualMachine) async throws -> OwnershipRecord {
        // The disk first: the log is written before it, so what is read of the log afterwards is not older.
        let disk = try await storage.readOwnership(machine.ownershipSlot, of: machine.definition.id)
        let end = ContinuousClock.now + Self.skew
        while true {
            let log = try await record(of: machine)
            switch ownership(log: log, disk: disk, on: node) {
            case .agreed(let record): return record
            case .writeForward(let record):
                try await bringForward(record, of: machine)
                return record
            case .contradiction(let what):
                guard ContinuousClock.now < end else {
                    throw APIError(.refused, "\(what) Nothing of \(machine.name) runs until that is settled.", node: node)
                }
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func read(_ machine: VirtualMachine, orderedUnder epoch: UInt64) async throws -> OwnershipRecord {
        let end = ContinuousClock.now + Self.skew
        while try await record(of: machine).epoch < epoch {
            guard ContinuousClock.now < end else {
                // Not a refusal: the source asks again, and goes on doing so.
                throw APIError(
                    .unreachable, "The configuration on \(node) does not say yet that \(machine.name) belongs to it.", node: node)
            }
            try await Task.sleep(for: .milliseconds(1))
        }
        return try await read(machine)
    }

    /// What the log says, if it is open and all of it is here.
    private func record(of machine: VirtualMachine) async throws(APIError) -> OwnershipRecord {
        guard let view = await engine.view, view.standing.isCurrent else {
            throw APIError(.unreachable, "\(node) has no quorum now, so it does not know who may run \(machine.name).", node: node)
        }
        guard let inLog = view.state.machines[machine.name], inLog.machine.definition.id == machine.definition.id else {
            throw APIError(.refused, "The cluster has no machine \(machine.name) any more; it was deleted.", node: node)
        }
        guard let owner = view.state.nodes[inLog.owner]?.name else {
            throw APIError(.refused, "\(machine.name) belongs to a node that is no member any more.", node: node)
        }
        return OwnershipRecord(vmID: machine.definition.id, owner: owner, epoch: inLog.epoch)
    }

    private func bringForward(_ record: OwnershipRecord, of machine: VirtualMachine) async throws {
        switch await storage.writeOwnership(record, in: machine.ownershipSlot) {
        case .written:
            logger.notice("the ownership record follows the log", metadata: ["vm": "\(machine.name)", "epoch": "\(record.epoch)"])
        case .notWritten(let reason):
            throw APIError(.unreachable, "\(node) cannot write who owns \(machine.name) on the shared disk: \(reason)", node: node)
        case .unknown(let reason):
            guard try await storage.resolveOwnership(machine.ownershipSlot, of: machine.definition.id) == record else {
                throw APIError(.unreachable, "Who owns \(machine.name) could not be written on the shared disk: \(reason)", node: node)
            }
        }
    }

    // MARK: Changing owners

    func handOver(_ machine: VirtualMachine, to successor: OwnershipRecord) async -> OwnershipWrite {
        let began = ContinuousClock.now
        switch await change(machine, to: successor.owner, epoch: successor.epoch, .migration) {
        case .notWritten(let reason): return .notWritten(reason)
        case .unknown(let reason): return .unknown(reason)
        case .written: break
        }
        let committed = ContinuousClock.now
        switch await storage.writeOwnership(successor, in: machine.ownershipSlot) {
        case .written:
            logger.info(
                "a machine changed hands",
                metadata: [
                    "vm": "\(machine.name)", "to": "\(successor.owner)", "epoch": "\(successor.epoch)", "log": "\(committed - began)",
                    "disk": "\(ContinuousClock.now - committed)",
                ])
            return .written
        // The log has the last word: its new owner writes the same record itself before it runs anything.
        case .notWritten(let reason), .unknown(let reason): return .unknown(reason)
        }
    }

    func outrank(_ current: OwnershipRecord, with record: OwnershipRecord, of machine: VirtualMachine) async throws -> OwnershipRecord {
        // One entry outranks everything that was ordered before it: that was for an epoch which is used up then.
        var next = record
        next.epoch = try await self.record(of: machine).epoch + 1
        switch await change(machine, to: next.owner, epoch: next.epoch, next.owner == node ? .reconciliation : .migration) {
        case .written: break
        case .notWritten(let reason), .unknown(let reason):
            throw APIError(.unreachable, "Who owns \(machine.name) could not be changed: \(reason)", node: node)
        }
        if next.owner == node {
            try await bringForward(next, of: machine)
        } else if case .notWritten(let reason) = await storage.writeOwnership(next, in: machine.ownershipSlot) {
            logger.warning("the ownership record is left to its new owner", metadata: ["vm": "\(machine.name)", "reason": "\(reason)"])
        }
        return next
    }

    func resolve(_ machine: VirtualMachine) async throws -> OwnershipRecord {
        // What the process before this one ordered may still become an entry; ``outrank(_:with:of:)`` ends that.
        _ = try await storage.resolveOwnership(machine.ownershipSlot, of: machine.definition.id)
        return try await read(machine)
    }

    /// Orders a change of the owner until it is certain what became of it.
    ///
    /// While that is not certain the machine runs nowhere, however long: the majority may have the change. Sending it again does no harm,
    /// because it names the epoch that it makes. If the new owner is gone meanwhile, this node claims that epoch for itself: either that is
    /// an entry, and the change can never be one, or the log refuses it because the change was first.
    private func change(
        _ machine: VirtualMachine, to owner: NodeName, epoch: UInt64, _ cause: OwnerChangeCause
    ) async -> OwnershipWrite {
        var uncertain: String?
        while !Task.isCancelled {
            if let view = await engine.view, let from = view.state.node(named: node)?.id, let to = view.state.node(named: owner)?.id {
                let isPresent = view.standing.ring.contains(to)
                guard isPresent || uncertain != nil else { return .notWritten("\(owner) is not there any more.") }
                let change = OwnerChange(
                    machine: machine.name, from: from, to: isPresent ? to : from, epoch: epoch, cause: isPresent ? cause : .reconciliation)
                switch await engine.order(.changeOwner(change: change), requestedBy: nil, within: Self.answer) {
                case .applied:
                    return isPresent ? .written : .notWritten("\(owner) is not there any more.")
                case .rejected(let reason):
                    if let now = await engine.view?.state.machines[machine.name], now.owner == to, now.epoch == epoch { return .written }
                    return .notWritten(reason)
                case .notTaken(let reason):
                    guard uncertain != nil else { return .notWritten(reason) }
                case .unknown(let reason):
                    if uncertain == nil {
                        logger.warning(
                            "it is not known whether a machine changed hands; it runs nowhere until it is",
                            metadata: ["vm": "\(machine.name)", "to": "\(owner)", "epoch": "\(epoch)", "reason": "\(reason)"])
                    }
                    uncertain = reason
                    // Ends early when the service stops, which the loop's condition sees.
                    try? await Task.sleep(for: Self.reflection)
                }
            } else if uncertain == nil {
                return .notWritten("\(node) does not know the configuration of the cluster now.")
            }
            // Ends early when the service stops, which the loop's condition sees.
            try? await Task.sleep(for: .milliseconds(100))
        }
        return .unknown(uncertain ?? "the service was stopped.")
    }

    // MARK: Existence

    func add(_ machine: VirtualMachine, _ record: OwnershipRecord, requestedBy: String) async throws {
        try await takeIntoUse(machine, requestedBy: requestedBy)
        guard let owner = await engine.view?.state.node(named: record.owner)?.id else {
            throw APIError(.refused, "\(record.owner) is no member of the cluster.", node: node)
        }
        try await settle(.addMachine(machine: machine, owner: owner, epoch: record.epoch), requestedBy) {
            $0.machines[machine.name]?.machine.definition.id == machine.definition.id
        }
    }

    func remove(_ machine: VirtualMachine, _ record: OwnershipRecord, requestedBy: String) async throws {
        if await engine.view?.state.machines[machine.name]?.desired == .running {
            try await want(.stopped, of: machine.name, requestedBy: requestedBy)
        }
        try await settle(.removeMachine(machine: machine.name, epoch: record.epoch), requestedBy) {
            $0.machines[machine.name]?.machine.definition.id != machine.definition.id
        }
    }

    func want(_ desired: DesiredState, of machine: VMName, requestedBy: String?) async throws {
        let command: ClusterCommand = desired == .running ? .startMachine(machine: machine) : .stopMachine(machine: machine)
        try await settle(command, requestedBy) { $0.machines[machine]?.desired == desired }
    }

    /// The volumes that a machine lies on belong to the cluster from now on, if they did not before.
    private func takeIntoUse(_ machine: VirtualMachine, requestedBy: String) async throws {
        let disks = Set(machine.extents.values.map(\.disk) + [machine.ownershipSlot.disk])
        let known = await engine.view?.state.disks ?? [:]
        for id in disks.subtracting(known.keys).sorted() {
            guard case .clusterSharedVolume(let volume, let label)? = try await storage.inventory().first(where: { $0.id == id })?.content
            else { continue }
            let disk = ClusterDisk(id: id, use: .clusterSharedVolume(id: volume, label: label), addedAt: WallTime(Date()))
            try await settle(.addDisk(disk: disk), requestedBy) { $0.disks[id] != nil }
        }
    }

    /// Orders a change until it is certain what became of it, or the operator has waited long enough.
    private func settle(
        _ command: ClusterCommand, _ requestedBy: String?, isDone: @Sendable (ClusterState) -> Bool
    ) async throws {
        let end = ContinuousClock.now + Self.patience
        var uncertain: String?
        while true {
            switch await engine.order(command, requestedBy: requestedBy) {
            case .applied: return
            case .rejected(let reason):
                if uncertain != nil, let state = await engine.view?.state, isDone(state) { return }
                throw APIError(.refused, reason, node: node)
            case .notTaken(let reason):
                guard let uncertain else { throw APIError(.refused, reason, node: node) }
                guard ContinuousClock.now < end else { throw APIError(.timeout, uncertain, node: node) }
            case .unknown(let reason):
                uncertain = reason
                guard ContinuousClock.now < end else { throw APIError(.timeout, reason, node: node) }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

extension MembershipStanding {
    /// The epoch that is open, if this partition may act and this node has all of its log: only then does its state say what is so now.
    var currentEpoch: UInt64? {
        guard mayAct, problem == nil, case .open(let epoch, _, false) = log.phase else { return nil }
        return epoch
    }
    var isCurrent: Bool { currentEpoch != nil }
}
