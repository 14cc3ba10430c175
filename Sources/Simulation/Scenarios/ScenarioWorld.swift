import ClusterModel
import ClusterRules
import Foundation

/// A small data centre in which the rules of votes, partitions, machines and the state are played, a tenth of a second at a time.
///
/// Simpler than the storm of the log on purpose: an entry is at all members of a ring or at none, and arbitration is its outcome only.
/// What is left is what an administrator sees: who runs, who waits, which votes count, where the machines are.
public struct ScenarioWorld: Sendable {
    /// How long things take, as measured with Corosync at its default token of a second.
    public enum Timing {
        public static let tick = Duration.milliseconds(100)
        /// From a node's silence to the new ring.
        static let detection = Duration.milliseconds(2_100)
        /// From a node's start, or its good-bye, to the new ring.
        static let joining = Duration.milliseconds(800)
        /// A challenger waits out the missed defences of the holder.
        static let challenge = Duration.seconds(3)
        static let fencing = Duration.milliseconds(500)
        /// How long one ring holds when not all nodes hear all others, before they find together in another way.
        static let uneasiness = Duration.seconds(4)
        /// How long nobody reaches the witness before the log says that it is lost.
        static let witnessPatience = Duration.seconds(3)
    }

    public internal(set) var now = Duration.zero
    var nodes: [NodeID: ScenarioNode] = [:]
    /// Nodes in different groups do not hear each other.
    var groups: [NodeID: Int] = [:]
    var cutPairs: [Set<NodeID>] = []
    private var reach: [NodeID: Set<NodeID>] = [:]
    var hasWitness: Bool
    var isWitnessReachable = true
    var witnessReplica = ScenarioReplica()
    var holder: NodeID?
    /// Refused by every cluster disk.
    var fenced: Set<NodeID> = []
    var records: [VMName: MachineFindings.Record] = [:]
    /// Since when each set of connected nodes has been connected.
    var connectedSince: [Set<NodeID>: Duration] = [:]
    var lostAt: [NodeID: Duration] = [:]
    var witnessSilentSince: Duration?
    var requests: UInt64 = 0
    /// The last acknowledged entry.
    var acknowledged: (index: UInt64, chain: UInt64) = (0, 0)
    var epochsGiven: Set<UInt64> = []

    /// What went wrong: an invariant that did not hold. Empty, or the rules have a fault.
    public internal(set) var violations: [String] = []
    /// What happened, with times, for people.
    public internal(set) var log: [String] = []

    static let witnessDisk = DiskID("witness")
    static let dataDisk = DiskID("csv1")

    /// Nodes 1 to `count`, all up, with machines that run where it is said.
    public init(
        nodes count: Int, hasWitness: Bool, isDynamic: Bool = true, secondsUntilStop: Int = QuorumSettings.defaultSecondsUntilStop,
        machines: [(name: String, owner: Int)] = []
    ) throws(ScenarioError) {
        guard (1...16).contains(count) else { throw ScenarioError(line: 0, problem: "1 to 16 nodes, not \(count)") }
        self.hasWitness = hasWitness
        let ids = (1...count).compactMap { NodeID(rawValue: UInt16($0)) }
        let witness = hasWitness ? Witness.disk(id: Self.witnessDisk) : .none
        let quorum = QuorumSettings(
            model: .recommended(nodes: count, witness: witness), isDynamic: isDynamic, secondsUntilStop: secondsUntilStop)
        var replica = ScenarioReplica()
        let founding = ClusterFounding(
            id: Self.uuid(1), name: ClusterName(unchecked: "story"), nodes: ids.map(Self.newNode),
            disks: [
                ClusterDisk(id: Self.witnessDisk, use: .witness, addedAt: WallTime(milliseconds: 0)),
                ClusterDisk(
                    id: Self.dataDisk, use: .clusterSharedVolume(id: Self.uuid(2), label: "csv1"), addedAt: WallTime(milliseconds: 0)),
            ],
            witness: witness, quorum: quorum, votes: VoteRules.foundingTable(nodes: ids, witness: witness, quorum: quorum))
        var commands: [ClusterCommand] = [.createCluster(founding: founding)]
        for (offset, machine) in machines.enumerated() {
            guard ids.indices.contains(machine.owner - 1) else {
                throw ScenarioError(line: 0, problem: "there is no node n\(machine.owner) to own \(machine.name)")
            }
            commands.append(.addMachine(machine: Self.machine(machine.name, number: offset), owner: ids[machine.owner - 1], epoch: 1))
            commands.append(.startMachine(machine: VMName(unchecked: machine.name)))
        }
        for command in commands {
            requests += 1
            let entry = try Self.entry(command, after: replica, epoch: 1, by: ids[0], number: requests, now: .zero)
            try Self.append(entry, to: &replica)
        }
        acknowledged = (replica.index, replica.chains.last ?? 0)
        for id in ids {
            nodes[id] = ScenarioNode(id: id, replica: replica, now: .zero)
            groups[id] = 0
        }
        if hasWitness { witnessReplica = replica }
        // The nodes know each other when the story begins.
        for id in ids { nodes[id]?.ring = Set(ids) }
        feelLinks()
    }

    /// One tick.
    public mutating func step() {
        now += Timing.tick
        if !cutPairs.isEmpty { feelLinks() }
        formRings()
        for ring in rings() { decide(ring) }
        for ring in rings() where isOpen(ring) { coordinate(ring) }
        for id in nodes.keys.sorted() { stepMachines(of: id) }
        check()
    }

    /// The rings there are, each once, the one of the lowest node first.
    func rings() -> [Set<NodeID>] {
        var seen: [Set<NodeID>] = []
        for id in nodes.keys.sorted() {
            if let node = nodes[id], node.isServing, !seen.contains(node.ring) { seen.append(node.ring) }
        }
        return seen
    }
    /// A ring whose members all hear each other and are all there; until the loss of one is noticed, nothing is delivered.
    func isWhole(_ ring: Set<NodeID>) -> Bool {
        ring.allSatisfy { nodes[$0]?.isServing == true && nodes[$0]?.ring == ring && connected(to: $0) == ring }
    }
    func isOpen(_ ring: Set<NodeID>) -> Bool { isWhole(ring) && ring.allSatisfy { nodes[$0]?.isOpen == true } }

    /// Who hears whom and serves: as of the last ``feelLinks()``.
    func connected(to id: NodeID) -> Set<NodeID> { reach[id] ?? [] }

    /// To be called after every change of the links and of who serves.
    mutating func feelLinks() {
        reach = [:]
        for id in nodes.keys { reach[id] = heard(by: id) }
    }
    private func heard(by id: NodeID) -> Set<NodeID> {
        let hearing = Set(nodes.values.filter { $0.isServing && groups[$0.id] == groups[id] }.map(\.id))
        guard !cutPairs.isEmpty, hearing.contains(id) else { return hearing }
        // All members of a ring hear each other. Who finds together first is a matter of chance; here it alternates.
        var rings: [Set<NodeID>] = []
        let isTurned = Int(now / Timing.uneasiness).isMultiple(of: 2)
        for node in isTurned ? hearing.sorted() : hearing.sorted().reversed() {
            let fits = rings.firstIndex { ring in ring.allSatisfy { !cutPairs.contains([$0, node]) } }
            if let fits { rings[fits].insert(node) } else { rings.append([node]) }
        }
        return rings.first { $0.contains(id) } ?? [id]
    }

    private mutating func formRings() {
        let sets = Set(nodes.values.filter(\.isServing).map { connected(to: $0.id) })
        connectedSince = connectedSince.filter { sets.contains($0.key) }
        for set in sets.sorted(by: { $0.sorted().lexicographicallyPrecedes($1.sorted()) }) {
            let since = connectedSince[set] ?? now
            connectedSince[set] = since
            guard set.contains(where: { nodes[$0]?.ring != set }) else { continue }
            // Who said good-bye is gone at once; who fell silent must be missed first.
            let missed = set.reduce(into: Set<NodeID>()) { $0.formUnion(nodes[$1]?.ring ?? []) }.subtracting(set)
            let isSilent = missed.contains { nodes[$0]?.replica.state.nodes[$0]?.presence != .stopped || nodes[$0]?.isServing == true }
            guard now - since >= (isSilent ? Timing.detection : Timing.joining) else { continue }
            for id in set {
                nodes[id]?.ring = set
                nodes[id]?.ringFormedAt = now
                nodes[id]?.isRingDecided = false
                nodes[id]?.openEpoch = nil
            }
            tell("ring \(Self.names(set))")
        }
    }

    mutating func tell(_ text: String) { log.append("\(Self.text(now)) \(text)") }

    static func text(_ time: Duration) -> String {
        let milliseconds = time.components.seconds * 1000 + time.components.attoseconds / 1_000_000_000_000_000
        return "\(milliseconds / 1000).\(milliseconds % 1000 / 100)s"
    }
    static func names(_ nodes: some Sequence<NodeID>) -> String { nodes.sorted().map { "n\($0)" }.joined(separator: " ") }
}
