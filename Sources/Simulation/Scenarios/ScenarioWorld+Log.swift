import ClusterModel
import ClusterRules
import Foundation

extension ScenarioWorld {
    /// Who holds the witness, for a ring: nil when nobody in it does or it cannot be reached.
    func witnessHolder(in ring: Set<NodeID>) -> NodeID? {
        holder.flatMap { ring.contains($0) && reachesWitness($0) ? $0 : nil }
    }
    func reachesWitness(_ id: NodeID) -> Bool {
        guard hasWitness, isWitnessReachable, let node = nodes[id] else { return false }
        return node.isServing && !node.isCutFromSAN
    }

    /// Arbitration and the opening of an epoch, for one ring.
    mutating func decide(_ ring: Set<NodeID>) {
        guard isWhole(ring), let formed = ring.compactMap({ nodes[$0]?.ringFormedAt }).max() else { return }
        let isWaiting = arbitrate(ring, formed: formed)
        guard !isWaiting else { return }

        let best = bestReplica(of: ring)
        let hasWitness = witnessHolder(in: ring) != nil
        let isMajority = best.state.votes.isMajority(ring, withWitness: hasWitness)
        let expected = ring.compactMap { nodes[$0]?.votequorum.expectedVotes }.max() ?? 0
        for id in ring {
            guard var node = nodes[id] else { continue }
            // Every node announces the votes of its own file; the highest expectation counts (votequorum(5)).
            let votes = ring.reduce(0) { $0 + (nodes[$1]?.votequorum.nodeVotes[$1] ?? 0) }
            let device = hasWitness && node.votequorum.isDeviceCounted ? node.votequorum.deviceVotes : 0
            node.isRingDecided = true
            node.isVotequorumQuorate = votes + device >= expected / 2 + 1
            if !isMajority { node.openEpoch = nil }
            nodes[id] = node
        }
        guard isMajority, ring.contains(where: { nodes[$0]?.openEpoch == nil }) else {
            refreshWitness(ring)
            return
        }
        let promised = ring.compactMap { nodes[$0]?.replica.promised } + (hasWitness ? [witnessReplica.promised] : [])
        open((promised.max() ?? 0) + 1, with: best, on: ring)
    }

    mutating func open(_ epoch: UInt64, with best: ScenarioReplica, on ring: Set<NodeID>) {
        if !epochsGiven.insert(epoch).inserted { violations.append("\(Self.text(now)) epoch \(epoch) was opened twice") }
        let last = Int(acknowledged.index)
        if best.chains.count < last || (last > 0 && best.chains[last - 1] != acknowledged.chain) {
            violations.append("\(Self.text(now)) \(Self.names(ring)) opened epoch \(epoch) without acknowledged entry \(last)")
        }
        var adopted = best
        adopted.promised = epoch
        adopted.adopted = epoch
        let target = VotequorumTarget(of: adopted.state)
        for id in ring {
            nodes[id]?.replica = adopted
            nodes[id]?.openEpoch = epoch
            // Not only when votes change: old files can add up to less than a quorum although the log has its majority, and would
            // keep the cluster down for ever.
            nodes[id]?.votequorum = target
        }
        refreshWitness(ring)
        tell("epoch \(epoch) open on \(Self.names(ring)), votes \(describe(adopted.state.votes))")
    }

    func bestReplica(of ring: Set<NodeID>) -> ScenarioReplica {
        var best = witnessHolder(in: ring) == nil ? ScenarioReplica() : witnessReplica
        for id in ring.sorted() {
            if let replica = nodes[id]?.replica, replica.isAhead(of: best) { best = replica }
        }
        return best
    }

    private mutating func refreshWitness(_ ring: Set<NodeID>) {
        guard let holder = witnessHolder(in: ring), let node = nodes[holder], node.openEpoch != nil else { return }
        witnessReplica = node.replica
    }

    /// - Returns: Whether the ring must wait for the outcome.
    private mutating func arbitrate(_ ring: Set<NodeID>, formed: Duration) -> Bool {
        guard hasWitness, witnessHolder(in: ring) == nil, let challenger = ring.sorted().first(where: reachesWitness) else { return false }
        let table = bestReplica(of: ring).state.votes
        let needsIt = !table.isMajority(ring, withWitness: false)
        // A partition that cannot win even with the witness leaves it to the other side.
        if needsIt, !table.isMajority(ring, withWitness: true) { return false }
        let isDefended = holder.map { reachesWitness($0) } ?? false
        guard !isDefended else { return false }
        guard holder == nil || now - formed >= Timing.challenge else { return needsIt }
        holder = challenger
        tell("n\(challenger) takes the witness")
        return false
    }

    /// Appends a command on every member of an open ring, if that is a majority under the old and the new votes.
    @discardableResult
    mutating func propose(_ command: ClusterCommand, on ring: Set<NodeID>) -> Bool {
        guard let first = ring.min(), let replica = nodes[first]?.replica, let epoch = nodes[first]?.openEpoch else { return false }
        let hasWitness = witnessHolder(in: ring) != nil
        for table in [replica.state.votes] + (command.votes.map { [$0] } ?? []) where !table.isMajority(ring, withWitness: hasWitness) {
            return false
        }
        requests += 1
        do throws(ScenarioError) {
            let time = now + (nodes[first]?.clockError ?? .zero)
            let entry = try Self.entry(command, after: replica, epoch: epoch, by: first, number: requests, now: time)
            for id in ring.sorted() {
                guard var copy = nodes[id]?.replica else { continue }
                let outcome = try Self.append(entry, to: &copy)
                nodes[id]?.replica = copy
                if id == first, case .rejected(let rejection) = outcome { tell("refused: \(rejection)") }
            }
        } catch {
            violations.append("\(Self.text(now)) \(error)")
            return false
        }
        refreshWitness(ring)
        if let copy = nodes[first]?.replica { acknowledged = (copy.index, copy.chains.last ?? 0) }
        let target = VotequorumTarget(of: state(of: ring))
        for id in ring { nodes[id]?.votequorum = target }
        if let event = nodes[first]?.replica.state.history.last, event.id > replica.state.lastEventID { tell(event.sentence) }
        return true
    }

    static func entry(
        _ command: ClusterCommand, after replica: ScenarioReplica, epoch: UInt64, by node: NodeID, number: UInt64, now: Duration
    ) throws(ScenarioError) -> LogEntry {
        let proposal = CommandProposal(time: WallTime(milliseconds: now.components.seconds * 1000), command: command)
        do {
            return LogEntry(
                index: replica.index + 1, epoch: epoch, request: RequestID(node: node, incarnation: 1, number: number),
                payload: try ClusterCoding.bytes(of: proposal), votes: command.votes, chain: 0)
        } catch { throw ScenarioError(line: 0, problem: "\(error)") }
    }

    @discardableResult
    static func append(_ entry: LogEntry, to replica: inout ScenarioReplica) throws(ScenarioError) -> EntryOutcome {
        // FNV-1a over the bytes, chained.
        var hash = replica.chains.last ?? 0xcbf2_9ce4_8422_2325
        for byte in entry.payload { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        do {
            let outcome = try apply(entry, to: &replica.state)
            replica.chains.append(hash)
            replica.adopted = max(replica.adopted, entry.epoch)
            replica.promised = max(replica.promised, entry.epoch)
            return outcome
        } catch { throw ScenarioError(line: 0, problem: "\(error)") }
    }

    func describe(_ table: VoteTable) -> String {
        (table.nodes.sorted { $0.key < $1.key }.map { "n\($0.key):\($0.value)" } + ["witness:\(table.witness)"]).joined(separator: " ")
    }

    static func uuid(_ number: UInt8) -> UUID { UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number)) }
    static func newNode(_ id: NodeID) -> NewNode {
        NewNode(
            id: id, name: NodeName(unchecked: "n\(id)"), addresses: NodeAddresses(rings: ["10.0.1.\(id)"], migration: "10.0.2.\(id)"),
            certificate: CertificateFacts(serial: "\(id)", fingerprint: "\(id)", notAfter: WallTime(milliseconds: .max)))
    }
    static func machine(_ name: String, number: Int) -> VirtualMachine {
        VirtualMachine(
            definition: VMDefinition(
                name: VMName(unchecked: name), id: uuid(UInt8(truncatingIfNeeded: 100 + number)), memoryMiB: 512, vcpus: 1,
                cpuModel: "Nehalem",
                machineType: "pc-q35-7.2", firmware: .bios, disks: [], interfaces: []),
            extents: [:], firmwareVariables: nil, ownershipSlot: OwnershipSlot(disk: dataDisk, index: number))
    }
}
