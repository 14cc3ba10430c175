import ClusterModel
import ClusterRules
import SeededRandom

/// How often things go wrong, in thousandths of the steps that may be faults (one in sixteen is).
public struct FaultPlan: Sendable {
    /// Milliseconds that a step takes at most.
    public var longestStep = 12
    /// Of so many faults one happens: the higher, the longer the cluster runs between two.
    public var calm = 4
    public var proposals = 600
    public var crashes = 60
    public var kills = 80
    public var hangs = 40
    public var partitions = 120
    /// A link that carries one way only.
    public var oneWayCuts = 0
    /// A message that is delivered twice.
    public var duplicates = 0
    /// Every node loses power at once.
    public var blackouts = 0
    /// A node stands still, and its clock goes on.
    public var clockJumps = 0
    public var fullDisks = 30
    public var lostMemories = 8
    public var witnessTaken = 80
    public var witnessCut = 40
    /// One node loses the SAN.
    public var sanCuts = 0
    public var witnessDamaged = 20
    public var witnessReplaced = 0
    public var forces = 0
    /// Of a thousand proposals so many change the votes.
    public var voteChanges = 0
    /// Of a thousand times so often a disk does not get on.
    public var slowDisks = 0
    public var slowWitness = 0

    public init() {}
    /// Drawn from a seed: quiet runs, wild runs, and all between.
    public init(seed: UInt64) {
        var random = SeededGenerator(seed: seed ^ 0x5EED)
        let weights = [0, 10, 30, 60, 150]
        crashes = weights[random.below(5)]
        kills = weights[random.below(5)]
        hangs = weights[random.below(4)]
        partitions = weights[random.below(5)]
        fullDisks = weights[random.below(4)]
        lostMemories = weights[random.below(2)]
        witnessTaken = weights[random.below(5)]
        witnessCut = weights[random.below(4)]
        witnessDamaged = weights[random.below(3)]
        proposals = [200, 600, 1000][random.below(3)]
        longestStep = [4, 12, 40][random.below(3)]
        calm = [1, 4, 16][random.below(3)]
        voteChanges = random.chance(500) ? 0 : [20, 60, 300][random.below(3)]
        slowDisks = [0, 0, 700, 950][random.below(4)]
        slowWitness = [0, 0, 700, 950][random.below(4)]
        oneWayCuts = weights[random.below(4)]
        duplicates = weights[random.below(3)]
        blackouts = random.chance(300) ? 5 : 0
        clockJumps = weights[random.below(3)]
        sanCuts = weights[random.below(4)]
        witnessReplaced = random.chance(200) ? 20 : 0
        forces = random.chance(100) ? 20 : 0
        // Under other votes nobody may be left who remembers; then only an operator's order helps.
        if voteChanges > 0 || forces > 0 { lostMemories = 0 }
    }
    var isForced: Bool { forces > 0 }
    /// What the weights come to; what is left of a thousand is nothing.
    var total: Int {
        2 * crashes + 2 * kills + hangs + partitions + oneWayCuts + duplicates + blackouts + clockJumps + fullDisks + lostMemories
            + witnessTaken + witnessCut + sanCuts + witnessDamaged + witnessReplaced + forces
    }
}

extension SimulatedCluster {
    mutating func fault(on place: Int) {
        var dice = random.below(max(1000, plan.total))
        func hit(_ weight: Int, _ dice: inout Int) -> Bool {
            dice -= weight
            return dice < 0
        }
        if hit(plan.crashes, &dice) {
            nodes[place].isUp ? crash(busy(or: place)) : powerOn(place)
        } else if hit(plan.crashes, &dice) {
            if !nodes[place].isUp { powerOn(place) }
        } else if hit(plan.kills, &dice) {
            guard nodes[place].isUp else { return }
            nodes[place].isRunning ? kill(busy(or: place)) : startProcess(place)
        } else if hit(plan.kills, &dice) {
            if nodes[place].isUp, !nodes[place].isRunning { startProcess(place) }
        } else if hit(plan.hangs, &dice) {
            nodes[place].isHung.toggle()
            if isTraced { note("\(nodes[place].id) hangs: \(nodes[place].isHung)") }
        } else if hit(plan.partitions, &dice) {
            partitionAtRandom()
        } else if hit(plan.fullDisks, &dice) {
            nodes[place].disk.isFull.toggle()
            if isTraced { note("disk of \(nodes[place].id) full: \(nodes[place].disk.isFull)") }
        } else if hit(plan.lostMemories, &dice) {
            loseMemory(place)
        } else if hit(plan.witnessTaken, &dice) {
            if nodes[place].isUp, nodes[place].isRunning { grantWitness(to: place) }
        } else if hit(plan.witnessCut, &dice) {
            witness?.isReachable.toggle()
        } else if hit(plan.sanCuts, &dice) {
            nodes[place].isCutFromSAN.toggle()
            if isTraced { note("\(nodes[place].id) is cut from the SAN: \(nodes[place].isCutFromSAN)") }
        } else if hit(plan.oneWayCuts, &dice) {
            cutOneWay(at: place)
        } else if hit(plan.duplicates, &dice) {
            duplicate(in: ringOf[place])
        } else if hit(plan.blackouts, &dice) {
            for place in nodes.indices { crash(place) }
        } else if hit(plan.clockJumps, &dice) {
            nodes[place].clockOffset += .milliseconds(random.below(random.chance(500) ? 5_000 : 3_600_000))
        } else if hit(plan.witnessDamaged, &dice) {
            damageWitness()
        } else if hit(plan.witnessReplaced, &dice) {
            replaceWitness()
        } else if hit(plan.forces, &dice) {
            if isTraced { note("FORCE on \(nodes[place].id)") }
            force([1], on: place)
        }
    }

    /// A node whose disk has something under way: a good moment to end it.
    private mutating func busy(or place: Int) -> Int {
        guard random.chance(500), let busy = nodes.indices.filter({ nodes[$0].disk.pending != nil }).randomElement(using: &random) else {
            return place
        }
        return busy
    }

    // MARK: Processes and nodes

    /// Starts a node's service.
    public mutating func startProcess(_ place: Int) {
        guard nodes[place].isUp, !nodes[place].isRunning else { return }
        let member = GroupMember(node: nodes[place].id, process: nextProcess)
        nextProcess += 1
        if isTraced {
            note("\(nodes[place].id) starts process \(member.process) from \(String(describing: nodes[place].disk.image?.position))")
        }
        nodes[place].member = member
        nodes[place].isHung = false
        nodes[place].clockOffset = .zero - now
        nodes[place].inbox.clear()
        nodes[place].outbox.clear()
        nodes[place].nextNumber = 0
        nodes[place].waiting = []
        nodes[place].status = nil
        nodes[place].state = State()
        var settings = ConfigurationLog.Settings(member: member, incarnation: UInt64(member.process))
        settings.entriesPerSnapshot = 24
        do {
            nodes[place].log = try ConfigurationLog(settings: settings, image: nodes[place].disk.image)
        } catch {
            checker.fail("node \(nodes[place].id) cannot read its own log: \(error)")
            return
        }
        feed(.tick, to: place)
        let ring = ringOf[place]
        rings[ring].group.append(member)
        rings[ring].group.sort()
        nodes[place].joinedAt = rings[ring].items.count
        rings[ring].order(.group(rings[ring].group), from: nodes[place].id)
        // Nothing that a former process wrote lands behind this: a barrier.
        if witness?.holder == nodes[place].id { grantWitness(to: place) }
    }

    /// The service ends at once; the node stays.
    public mutating func kill(_ place: Int) {
        guard let member = nodes[place].member, nodes[place].isRunning else { return }
        if isTraced { note("\(nodes[place].id) is killed") }
        let ring = ringOf[place]
        while random.chance(500), let message = nodes[place].outbox.next() {
            rings[ring].order(.message(member, message), from: member.node)
        }
        stopProcess(place)
        rings[ring].group.removeAll { $0 == member }
        rings[ring].order(.group(rings[ring].group), from: member.node)
    }
    private mutating func stopProcess(_ place: Int) {
        if let pending = nodes[place].disk.pending, random.chance(500), !nodes[place].disk.isFull {
            makeDurable(pending.changes, on: place)
        }
        nodes[place].disk.pending = nil
        nodes[place].log = nil
        nodes[place].member = nil
        nodes[place].status = nil
        nodes[place].waiting = []
        nodes[place].inbox.clear()
        nodes[place].outbox.clear()
    }

    /// Power is cut.
    public mutating func crash(_ place: Int) {
        guard nodes[place].isUp else { return }
        if isTraced { note("\(nodes[place].id) crashes") }
        stopProcess(place)
        nodes[place].isUp = false
        nodes[place].isHung = false
        reform(groups().map { $0.filter { $0 != place } }.filter { !$0.isEmpty })
    }
    /// Power is back: the node joins the ring of another one, and its service starts.
    public mutating func powerOn(_ place: Int) {
        guard !nodes[place].isUp else { return }
        if isTraced { note("\(nodes[place].id) is powered on") }
        var groups = groups()
        nodes[place].isUp = true
        if groups.isEmpty || random.chance(100) { groups.append([place]) } else { groups[random.below(groups.count)].append(place) }
        reform(groups)
        startProcess(place)
    }

    private mutating func loseMemory(_ place: Int) {
        // One at a time: with two there may be nobody who remembers. A witness that is new, or was just replaced, remembers nothing either.
        guard !nodes[place].isRunning, nodes.count > 1, witness.map({ $0.image != nil && retiredWitness == nil }) ?? (nodes.count > 2),
            nodes.indices.allSatisfy({ $0 == place || nodes[$0].disk.image != nil })
        else { return }
        if isTraced { note("\(nodes[place].id) loses its database") }
        nodes[place].disk.image = nil
    }

    // MARK: Rings

    /// The nodes that are up, ring by ring.
    func groups() -> [[Int]] {
        var byRing: [Int: [Int]] = [:]
        for place in nodes.indices where nodes[place].isUp { byRing[ringOf[place], default: []].append(place) }
        return byRing.keys.sorted().compactMap { byRing[$0] }
    }

    private mutating func partitionAtRandom() {
        let up = nodes.indices.filter { nodes[$0].isUp }
        guard !up.isEmpty else { return }
        let count = random.chance(500) ? 1 : 1 + random.below(min(3, up.count))
        var groups = Array(repeating: [Int](), count: count)
        for place in up { groups[random.below(count)].append(place) }
        groups.removeAll(where: \.isEmpty)
        if isTraced { note("rings \(groups.map { $0.map { nodes[$0].id } })") }
        reform(groups)
    }

    /// One direction fails, or all are put right. Totem counts a node out that does not hear another one: who goes with whom is a matter
    /// of chance, and may be another matter a moment later.
    private mutating func cutOneWay(at place: Int) {
        if random.chance(250) {
            deafness = []
        } else if random.chance(500), let other = nodes.indices.filter({ $0 != place }).randomElement(using: &random) {
            deafness.insert(Deafness(to: nodes[other].id, at: nodes[place].id))
        }
        var groups: [[Int]] = []
        for place in nodes.indices.filter({ nodes[$0].isUp }).shuffled(using: &random) {
            let fits = groups.firstIndex { group in
                group.allSatisfy { other in
                    let (a, b) = (nodes[place].id, nodes[other].id)
                    return !deafness.contains(Deafness(to: a, at: b)) && !deafness.contains(Deafness(to: b, at: a))
                }
            }
            if let fits { groups[fits].append(place) } else { groups.append([place]) }
        }
        // For a while the ring holds although one does not hear another.
        guard random.chance(700), !groups.isEmpty else { return }
        if isTraced { note("deaf \(deafness.map { "\($0.at) to \($0.to)" }), rings \(groups.map { $0.map { nodes[$0].id } })") }
        reform(groups)
    }

    /// A message of the ring comes once more. Corosync does not do that; the rules stand it none the less.
    private mutating func duplicate(in ring: Int) {
        guard rings.indices.contains(ring), !rings[ring].items.isEmpty else { return }
        let item = rings[ring].items[rings[ring].items.count - 1 - random.below(min(rings[ring].items.count, 20))]
        guard case .message(let member, let message) = item.item, nodes[place(of: member.node)].member == member else { return }
        if isTraced { note("once more: \(Self.brief(message))") }
        rings[ring].order(.message(member, message), from: member.node)
    }

    /// New rings of these nodes.
    public mutating func reform(_ groups: [[Int]]) {
        let old = rings
        var fresh: [SimulatedRing] = []
        var freshOf = ringOf
        for group in groups {
            var ring = SimulatedRing(nodes: group.map { nodes[$0].id })
            for place in group {
                freshOf[place] = fresh.count
                if let member = nodes[place].member { ring.group.append(member) }
            }
            ring.group.sort()
            // Those who come from the same ring share what they have of it.
            var together: [Int: [NodeID]] = [:]
            for place in group { together[ringOf[place], default: []].append(nodes[place].id) }
            for (index, list) in together.sorted(by: { $0.key < $1.key }) where index < old.count {
                for (node, late) in old[index].lastDeliveries(of: list).sorted(by: { $0.key < $1.key }) {
                    let place = place(of: node)
                    for item in late where item >= nodes[place].joinedAt && nodes[place].isRunning {
                        switch old[index].items[item].item {
                        case .message(let from, let message): nodes[place].inbox.add(.message(from, message))
                        case .group(let group): nodes[place].inbox.add(.group(group))
                        }
                    }
                }
            }
            for place in group {
                nodes[place].joinedAt = 0
                if nodes[place].isRunning { nodes[place].inbox.add(.group(ring.group)) }
            }
            fresh.append(ring)
        }
        rings = fresh
        ringOf = freshOf
    }

    // MARK: Witness

    /// A node takes the reservation, with a barrier; the one before hears of it later.
    public mutating func grantWitness(to place: Int) {
        guard var held = witness, nodes[place].isRunning else { return }
        held.barrier(&random)
        if let old = held.holder, old != nodes[place].id { nodes[self.place(of: old)].inbox.add(.event(.witnessLost)) }
        held.holder = nodes[place].id
        witness = held
        if isTraced { note("witness to \(nodes[place].id)") }
        nodes[place].inbox.add(.event(.witnessHeld(id: held.id)))
    }
    /// A slot goes bad. While the two differ only a torn write of the newest can do that, which was never reported as written.
    private mutating func damageWitness() {
        guard let held = witness, let one = held.slots[0], let two = held.slots[1], one.image == two.image else { return }
        if isTraced { note("slot damaged") }
        witness?.slots[random.below(2)] = nil
    }
    /// Another disk, initialised, takes the place of the witness. It has no vote until the table names it.
    private mutating func replaceWitness() {
        guard let holder = witness?.holder, retiredWitness == nil, nodes.count > 1 else { return }
        nextWitnessID += 1
        retiredWitness = witness
        witness = SimulatedWitness(id: nextWitnessID)
        if isTraced { note("witness replaced by \(nextWitnessID)") }
        if nodes[place(of: holder)].isRunning { grantWitness(to: place(of: holder)) }
    }

    // MARK: Healing

    /// Everything is repaired: whatever happened before, the cluster has to come back by itself.
    public mutating func heal() {
        for place in nodes.indices {
            nodes[place].isHung = false
            nodes[place].disk.isFull = false
            nodes[place].isCutFromSAN = false
            if !nodes[place].isUp { powerOn(place) }
            startProcess(place)
        }
        deafness = []
        reform([Array(nodes.indices)])
        // A disk that still has the vote is plugged in again.
        let newest = nodes.max { ($0.disk.image?.position ?? ReplicaPosition()).isBehind($1.disk.image?.position ?? ReplicaPosition()) }
        let tables = newest?.disk.image?.tables ?? []
        if let retired = retiredWitness, tables.contains(where: { $0.witness > 0 && $0.witnessID == retired.id }) {
            if let holder = witness?.holder { nodes[place(of: holder)].inbox.add(.event(.witnessLost)) }
            witness = retired
        }
        retiredWitness = nil
        if let holder = witness?.holder, nodes[place(of: holder)].isRunning { grantWitness(to: place(of: holder)) }
        witness?.isReachable = true
        if let holder = witness?.holder, nodes[place(of: holder)].isRunning { return }
        if witness != nil { grantWitness(to: 0) }
    }
    /// Every member follows one open epoch with the same log, and nobody waits for an answer.
    public var isSettled: Bool {
        guard let first = nodes.first(where: { $0.status?.isOpen == true })?.log else { return false }
        let table = first.votes
        for node in nodes {
            guard let log = node.log else { return false }
            guard table.nodes[node.id] != nil else { continue }
            guard node.waiting.isEmpty, log.position == first.position, log.committed == log.position.lastIndex,
                case .open(_, _, false)? = node.status?.phase, node.disk.pending == nil, node.state.index == log.committed
            else { return false }
        }
        return true
    }
    /// Runs without faults until everything is settled.
    ///
    /// - Returns: False when it is not after so many steps.
    public mutating func settle(within steps: Int) -> Bool {
        let before = plan
        plan.proposals = 0
        plan.longestStep = 4
        plan.slowDisks = min(plan.slowDisks, 700)
        plan.slowWitness = min(plan.slowWitness, 700)
        defer { plan = before }
        for step in 0..<steps {
            // Who was left out often waits half a minute before it asks again.
            if step == steps / 3 { plan.longestStep = 12 }
            self.step(faults: false)
            if checker.violation != nil { return false }
            if step % 16 == 0, isSettled { return true }
            // Arbitration: a holder that is no member any more is challenged.
            if step % 4_000 == 3_999, let holder = witness?.holder, case .turnedAway? = nodes[place(of: holder)].status?.phase {
                grantWitness(to: (place(of: holder) + 1) % nodes.count)
            }
            // The operator: an order that was cut short is given again.
            if step % 4_000 == 2_000, let place = nodes.indices.first(where: { nodes[$0].isForcedElsewhere }) { force([2], on: place) }
        }
        return isSettled
    }
}

extension ReplicaPosition {
    func isBehind(_ other: ReplicaPosition) -> Bool { other.isAhead(of: self) }
}
