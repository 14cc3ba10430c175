import ClusterModel
import ClusterRules

extension ScenarioWorld {
    /// What the coordinator of an open ring does in one tick: it compares what it sees with the log, and proposes the difference.
    mutating func coordinate(_ ring: Set<NodeID>) {
        followPresence(ring)
        followWitness(ring)
        followVotes(ring)
        for id in ring.sorted() where nodes[id]?.isStopping == true { stopCleanly(id, ring) }
        failOver(ring)
    }

    func state(of ring: Set<NodeID>) -> ClusterState { ring.min().flatMap { nodes[$0]?.replica.state } ?? ClusterState() }

    private mutating func followPresence(_ ring: Set<NodeID>) {
        for (id, node) in state(of: ring).nodes.sorted(by: { $0.key < $1.key }) {
            let isHere = ring.contains(id)
            if isHere, node.presence != .up, nodes[id]?.isStopping == false {
                // It may write again only once everything that runs there is still its own.
                let current = state(of: ring)
                let isInOrder =
                    nodes[id]?.machines.values.allSatisfy {
                        current.machines[$0.name]?.owner == id && current.machines[$0.name]?.epoch == $0.epoch
                    } ?? true
                guard isInOrder || !fenced.contains(id) else { continue }
                if propose(.nodeUp(node: id), on: ring) { fenced.remove(id) }
            } else if !isHere, node.presence == .up {
                if propose(.nodeDown(node: id, presence: .lost, reason: "it does not answer"), on: ring) { lostAt[id] = now }
            } else if !isHere, node.presence == .lost, now - (lostAt[id] ?? .zero) >= Timing.fencing {
                // Fencing goes through the shared disks: somebody here must reach them.
                guard ring.contains(where: { nodes[$0]?.isCutFromSAN == false && !fenced.contains($0) }) else { continue }
                fenced.insert(id)
                propose(.nodeDown(node: id, presence: .fenced, reason: "its registrations were preempted"), on: ring)
            }
        }
    }

    private mutating func followWitness(_ ring: Set<NodeID>) {
        guard hasWitness else { return }
        let isReached = ring.contains { reachesWitness($0) }
        let condition = state(of: ring).witness.condition
        if isReached {
            witnessSilentSince = nil
            if condition == .lost { propose(.witnessReturned, on: ring) }
        } else {
            let since = witnessSilentSince ?? now
            witnessSilentSince = since
            if condition == .present, now - since >= Timing.witnessPatience {
                propose(.witnessLost(reason: "no node reads it"), on: ring)
            }
        }
    }

    private mutating func followVotes(_ ring: Set<NodeID>) {
        let voters = VotersPresent(nodes: ring, witness: witnessHolder(in: ring) != nil)
        guard let change = VoteRules.change(due: state(of: ring), present: voters) else { return }
        propose(change.command, on: ring)
    }

    /// Moves its machines away, takes its leave in the log, gives its vote up, and goes: in that order.
    private mutating func stopCleanly(_ id: NodeID, _ ring: Set<NodeID>) {
        let current = state(of: ring)
        for machine in current.machines(ownedBy: id) where machine.desired == .running {
            guard let destination = leastLoaded(ring, except: id) else { continue }
            let change = OwnerChange(machine: machine.name, from: id, to: destination, epoch: machine.epoch + 1, cause: .migration)
            guard propose(.changeOwner(change: change), on: ring), var moved = nodes[id]?.machines.removeValue(forKey: machine.name) else {
                continue
            }
            moved.epoch = change.epoch
            nodes[destination]?.machines[machine.name] = moved
            records[machine.name] = .names(destination, epoch: change.epoch)
        }
        if state(of: ring).nodes[id]?.presence == .up {
            propose(.nodeDown(node: id, presence: .stopped, reason: "stopped by the operator"), on: ring)
        }
        followVotes(ring)
        let voters = VotersPresent(nodes: ring, witness: witnessHolder(in: ring) != nil)
        guard VoteRules.change(due: state(of: ring), present: voters) == nil else { return }
        nodes[id]?.losePower()
        nodes[id]?.isPowered = true
        feelLinks()
        if holder == id { holder = nil }
        tell("n\(id) has stopped")
    }

    private mutating func failOver(_ ring: Set<NodeID>) {
        let current = state(of: ring)
        for name in current.machines.keys.sorted() {
            guard let machine = current.machines[name], machine.desired == .running, !ring.contains(machine.owner),
                current.nodes[machine.owner]?.presence.isHarmless == true, let destination = leastLoaded(ring, except: machine.owner)
            else { continue }
            let change = OwnerChange(machine: name, from: machine.owner, to: destination, epoch: machine.epoch + 1, cause: .failover)
            propose(.changeOwner(change: change), on: ring)
        }
    }

    private func leastLoaded(_ ring: Set<NodeID>, except node: NodeID) -> NodeID? {
        let current = state(of: ring)
        return ring.filter {
            $0 != node && current.nodes[$0]?.state == .up && nodes[$0]?.isStopping == false && nodes[$0]?.isCutFromSAN == false
                && !fenced.contains($0)
        }.min { (current.machines(ownedBy: $0).count, $0) < (current.machines(ownedBy: $1).count, $1) }
    }

    // MARK: Machines

    mutating func stepMachines(of id: NodeID) {
        guard var node = nodes[id], node.isServing else { return }
        let log = node.replica.state
        var owned: [VMName: UInt64] = [:]
        for machine in log.machines(ownedBy: id) where machine.desired == .running { owned[machine.name] = machine.epoch }
        let actions = node.partition.step(
            node.facts, now: now, machines: Array(node.machines.values), owned: owned, secondsUntilStop: log.quorum.secondsUntilStop)
        for action in actions {
            switch action {
            case .pause(let name): node.machines[name]?.execution = .paused
            case .resume(let name): node.machines[name]?.execution = .running
            case .stop(let name, _): node.machines[name] = nil
            }
            tell("n\(id): \(action)")
        }
        nodes[id] = node
        guard node.partition.mayStart, isOpen(node.ring) else { return }
        for name in Set(log.machines.keys).union(node.machines.keys).sorted() { reconcileMachine(name, on: id) }
    }

    private mutating func reconcileMachine(_ name: VMName, on id: NodeID) {
        guard let node = nodes[id] else { return }
        let log = node.replica.state
        var record = records[name] ?? .empty
        var isHarmless = true
        if case .names(let other, _) = record {
            isHarmless = log.nodes[other]?.presence.isHarmless ?? true || (node.ring.contains(other) && nodes[other]?.machines[name] == nil)
        }
        if node.isCutFromSAN || fenced.contains(id) { record = .unreadable }
        let findings = MachineFindings(
            inLog: log.machines[name], execution: node.machines[name]?.execution, record: record, isRecordedOwnerHarmless: isHarmless)
        let decision = reconcile(findings, on: id)
        if decision.writesRecord, let machine = log.machines[name] { records[name] = .names(id, epoch: machine.epoch) }
        let epoch = log.machines[name]?.epoch ?? 0
        switch decision.action {
        case .leave, .finishMigration: break
        case .adopt: nodes[id]?.machines[name]?.epoch = epoch
        case .start:
            nodes[id]?.machines[name] = LocalMachineFact(name: name, execution: .running, epoch: epoch)
            tell("n\(id) starts \(name)")
        case .resume: nodes[id]?.machines[name]?.execution = .running
        case .pause: nodes[id]?.machines[name]?.execution = .paused
        case .stop:
            nodes[id]?.machines[name] = nil
            tell("n\(id) stops \(name)")
        case .claim, .raiseEpoch:
            guard let machine = log.machines[name] else { return }
            propose(
                .changeOwner(
                    change: OwnerChange(machine: name, from: machine.owner, to: id, epoch: machine.epoch + 1, cause: .reconciliation)),
                on: node.ring)
        }
    }

    /// The invariants, at every tick.
    mutating func check() {
        var writers: [VMName: [NodeID]] = [:]
        for node in nodes.values where !fenced.contains(node.id) {
            for machine in node.machines.values where machine.execution == .running { writers[machine.name, default: []].append(node.id) }
        }
        for (name, where_) in writers.sorted(by: { $0.key < $1.key }) where where_.count > 1 {
            violations.append("\(Self.text(now)) \(name) runs on \(Self.names(where_))")
        }
        let open = rings().filter { isOpen($0) }
        if open.count > 1 {
            violations.append("\(Self.text(now)) two partitions are open: \(open.map { Self.names($0) }.joined(separator: " | "))")
        }
    }
}
