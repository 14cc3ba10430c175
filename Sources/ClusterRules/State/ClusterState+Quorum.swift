import ClusterModel

extension ClusterState {
    mutating func set(
        _ model: QuorumModel, isAutomatic: Bool, at place: CommandPlace
    ) throws(CommandRejection) -> [ClusterEffect] {
        let chosen = isAutomatic ? QuorumModel.recommended(nodes: nodes.count, witness: witness.witness) : model
        guard chosen.fits(witness.witness) else { throw .modelNeedsWitness(chosen, witness.witness) }
        quorum.model = chosen
        quorum.isModelAutomatic = isAutomatic
        tell(
            .quorumChanged, chosen == .diskOnly ? .warning : .information,
            "The quorum model is \(chosen)\(isAutomatic ? ", as the number of nodes asks for" : "").", at: place)
        // The votes follow by an entry of their own, which the log counts under both tables.
        return []
    }

    mutating func setQuorumOptions(
        isDynamic: Bool, secondsUntilStop: Int, at place: CommandPlace
    ) throws(CommandRejection) -> [ClusterEffect] {
        try Self.check(secondsUntilStop: secondsUntilStop)
        quorum.isDynamic = isDynamic
        quorum.secondsUntilStop = secondsUntilStop
        tell(
            .quorumChanged,
            "Dynamic quorum is \(isDynamic ? "on" : "off"); without quorum, machines stop after \(secondsUntilStop) s of pause.", at: place)
        return []
    }

    static func check(secondsUntilStop: Int) throws(CommandRejection) {
        let allowed = QuorumSettings.allowedSecondsUntilStop
        guard allowed.contains(secondsUntilStop) else {
            throw .invalidSetting(
                "Machines without quorum may stay paused for \(allowed.lowerBound) to \(allowed.upperBound) s, not \(secondsUntilStop) s.")
        }
    }

    /// Refused for nothing but an old version, which the log refuses too: the state's table must be the one that the log counts with.
    mutating func changeVotes(_ table: VoteTable, _ reason: String, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        try checkVersion(of: table)
        votes = table
        tell(.votesChanged, "The votes are now: \(describe(table)).", cause: reason, at: place)
        return upNodes.map { .followVotes(on: $0) }
    }

    mutating func recordForcedQuorum(
        _ table: VoteTable, _ present: [NodeID], _ reason: String, at place: CommandPlace
    ) throws(CommandRejection) -> [ClusterEffect] {
        // Further than one: that is how the log tells a forced table (decision 0004).
        guard table.version > votes.version else { throw .staleVotes(proposed: table.version, current: votes.version) }
        votes = table
        let who = place.requestedBy ?? place.proposer.map { name(of: $0) } ?? "an unknown operator"
        forcedQuorum = ForcedQuorum(by: who, at: place.time, reason: reason, nodes: present.sorted())
        let names = present.sorted().map { name(of: $0) }.joined(separator: ", ")
        tell(
            .quorumForced, .error, place.proposer,
            "Quorum was forced on \(names). Changes made by the other nodes meanwhile are dropped when they return.", cause: reason,
            at: place)
        return upNodes.map { .followVotes(on: $0) }
    }

    private func checkVersion(of table: VoteTable) throws(CommandRejection) {
        guard votes.version < .max, table.version == votes.version + 1 else {
            throw .staleVotes(proposed: table.version, current: votes.version)
        }
    }

    mutating func set(_ witness: Witness, number: UInt64, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        // A copy that votes must be the copy that voted before: otherwise two majorities might share no replica.
        guard votes.witness == 0 else { throw .witnessStillVotes(self.witness.witness) }
        try check(witness)
        guard (witness == .none) == (number == 0) else {
            throw .invalidSetting("A witness has a number, drawn when it is initialised. Initialise it with `apus disk init`, then set it.")
        }
        if !quorum.isModelAutomatic, !quorum.model.fits(witness) { throw .modelNeedsWitness(quorum.model, witness) }
        self.witness = WitnessStatus(witness: witness, number: number, condition: .present, since: place.time)
        followNodeCount()
        tell(.witnessSet, "The cluster has now \(witness == .none ? "no witness" : "the \(witness)").", at: place)
        return upNodes.map { .followWitness(on: $0) }
    }

    func check(_ witness: Witness) throws(CommandRejection) {
        switch witness {
        case .none: break
        case .disk(let id):
            guard let disk = disks[id] else { throw .unknownDisk(id) }
            guard disk.use == .witness else { throw .diskInUse(id, by: "a Cluster Shared Volume") }
        case .fileShare(let path):
            guard path.hasPrefix("/") else {
                throw .invalidSetting("\"\(path)\" is no absolute path. Name the folder under which every node has mounted the share.")
            }
        }
    }

    mutating func setWitnessMaintenance(
        _ isOn: Bool, _ reason: String, at place: CommandPlace
    ) throws(CommandRejection) -> [ClusterEffect] {
        guard witness.witness != .none else { throw .noWitness }
        if isOn {
            guard witness.condition != .maintenance else { throw .witnessNot(.present, is: .maintenance) }
        } else {
            guard witness.condition == .maintenance else { throw .witnessNot(.maintenance, is: witness.condition) }
        }
        witness.condition = isOn ? .maintenance : .present
        witness.since = place.time
        tell(
            .witnessMaintenance, isOn ? .warning : .information,
            isOn ? "The \(witness.witness) is in maintenance and is to lose its vote." : "The \(witness.witness) is back from maintenance.",
            cause: reason, at: place)
        return upNodes.map { .followWitness(on: $0) }
    }

    mutating func witnessLost(_ reason: String, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        guard witness.witness != .none else { throw .noWitness }
        guard witness.condition == .present else { throw .witnessNot(.present, is: witness.condition) }
        witness.condition = .lost
        witness.since = place.time
        tell(.witnessLost, .error, "No node reaches the \(witness.witness).", cause: reason, at: place)
        return []
    }

    mutating func witnessReturned(at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        guard witness.witness != .none else { throw .noWitness }
        guard witness.condition == .lost else { throw .witnessNot(.lost, is: witness.condition) }
        witness.condition = .present
        witness.since = place.time
        tell(.witnessReturned, "The \(witness.witness) is back.", at: place)
        return upNodes.map { .followWitness(on: $0) }
    }

    /// An automatic model is worked out anew when the number of nodes or the witness changes.
    mutating func followNodeCount() {
        if quorum.isModelAutomatic { quorum.model = .recommended(nodes: nodes.count, witness: witness.witness) }
    }

    /// "node1 1, node2 1, witness 0", in the order of the numbers.
    func describe(_ table: VoteTable) -> String {
        (table.nodes.sorted { $0.key < $1.key }.map { "\(name(of: $0.key)) \($0.value)" } + ["witness \(table.witness)"])
            .joined(separator: ", ")
    }

    mutating func add(_ disk: ClusterDisk, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        guard disks[disk.id] == nil else { throw .diskKnown(disk.id) }
        disks[disk.id] = disk
        tell(.diskAdded, "The cluster uses the disk \(disk.id).", at: place)
        return []
    }

    mutating func remove(_ id: DiskID, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        guard disks[id] != nil else { throw .unknownDisk(id) }
        if witness.witness == .disk(id: id) { throw .diskInUse(id, by: "the witness") }
        for name in machines.keys.sorted() {
            if let machine = machines[name]?.machine, machine.disks.contains(id) { throw .diskInUse(id, by: name.rawValue) }
        }
        disks[id] = nil
        tell(.diskRemoved, "The cluster does not use the disk \(id) any more.", at: place)
        return []
    }
}

extension VirtualMachine {
    /// Every shared disk that something of the machine lies on, in order.
    var disks: [DiskID] {
        Set(extents.values.map(\.disk) + [ownershipSlot.disk] + (firmwareVariables.map { [$0.disk] } ?? [])).sorted()
    }
}
