import ClusterAPI
import ClusterModel
import Foundation

/// Whether some nodes can form a cluster, and of what kind. Pure: what the nodes said comes in, a plan or refusals come out.
public enum FormationRules {
    /// Further apart than this, clocks make certificates and histories misleading. NTP keeps hosts within milliseconds.
    public static let clockTolerance: TimeInterval = 5

    /// What a node said, and how its clock compared.
    public struct Answer: Hashable, Sendable {
        public var offer: JoinOffer
        /// How far its clock is ahead of the asking node's, in seconds, whatever the way there took left out.
        public var clockAhead: TimeInterval
        public init(offer: JoinOffer, clockAhead: TimeInterval) {
            self.offer = offer
            self.clockAhead = clockAhead
        }
    }

    /// Reasons against, each a sentence with its cure.
    public struct Refused: Error, Hashable, CustomStringConvertible {
        public var reasons: [String]
        public init(_ reasons: [String]) { self.reasons = reasons }
        public var description: String { reasons.joined(separator: "\n") }
    }

    /// - Parameter answers: Of every node, the asking one first.
    /// - Returns: The witness of the new cluster.
    public static func witness(
        for answers: [Answer], choice: WitnessChoice, force: Bool
    ) throws(Refused) -> Witness {
        var reasons = compatibility(answers)
        let offers = answers.map(\.offer)
        var witness = Witness.none
        do throws(Refused) {
            witness = try self.witness(
                seenBy: offers.map { DiskView(node: $0.node, disks: $0.disks, problem: $0.diskProblem) }, choice: choice, force: force)
        } catch { reasons += error.reasons }
        guard reasons.isEmpty else { throw Refused(reasons) }
        return witness
    }

    /// Whether a node fits those that are members already. `members` are their addresses, `first` what the asking member offers.
    public static func refusals(
        of newcomer: Answer, joining members: [(name: NodeName, addresses: NodeAddresses)], like first: Answer
    ) -> [String] {
        var reasons = compatibility([first, newcomer])
        for member in members where member.name != first.offer.node {
            if member.name == newcomer.offer.node { reasons.append(sameName(member.name)) }
            for address in newcomer.offer.addresses.all where member.addresses.all.contains(address) {
                reasons.append(sameAddress(address, member.name, newcomer.offer.node))
            }
        }
        return reasons.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    // MARK: Nodes among each other

    static func compatibility(_ answers: [Answer]) -> [String] {
        var reasons: [String] = []
        for (index, answer) in answers.enumerated() {
            let offer = answer.offer
            for earlier in answers[..<index].map(\.offer) {
                if earlier.node == offer.node { reasons.append(sameName(offer.node)) }
                for address in offer.addresses.all where earlier.addresses.all.contains(address) {
                    reasons.append(sameAddress(address, earlier.node, offer.node))
                }
            }
            if offer.corosyncVersion == nil {
                reasons.append("corosync is not installed on \(offer.node). Install it there: apt-get install corosync")
            }
            guard let first = answers.first?.offer, index > 0 else { continue }
            reasons += differences(first, offer)
            if abs(answer.clockAhead) > clockTolerance {
                let seconds = Int(min(abs(answer.clockAhead).rounded(), 1e12))
                reasons.append(
                    "The clock of \(offer.node) is \(seconds) s \(answer.clockAhead > 0 ? "ahead of" : "behind") that of \(first.node). "
                        + "Let both follow the same time servers, for instance with chrony.")
            }
        }
        return reasons
    }

    private static func differences(_ first: JoinOffer, _ offer: JoinOffer) -> [String] {
        var reasons: [String] = []
        if release(first.facts.apusVersion) != release(offer.facts.apusVersion) {
            reasons.append(
                "\(first.node) runs Apus \(first.facts.apusVersion), \(offer.node) runs \(offer.facts.apusVersion). Install the same "
                    + "release on both.")
        }
        if let ours = first.corosyncVersion, let theirs = offer.corosyncVersion, release(ours) != release(theirs) {
            reasons.append("\(first.node) has corosync \(ours), \(offer.node) has \(theirs). Install the same release on both.")
        }
        if first.addresses.rings.count != offer.addresses.rings.count {
            let (with, without) =
                first.addresses.rings.count < offer.addresses.rings.count ? (offer.node, first.node) : (first.node, offer.node)
            reasons.append(
                "\(with) has a second cluster network, \(without) has none. Give each node addresses.cluster2 in its node.yaml, or none.")
        }
        if first.apiPort != offer.apiPort {
            reasons.append(
                "\(first.node) listens on port \(first.apiPort), \(offer.node) on \(offer.apiPort). Use the same apiPort in both node.yaml."
            )
        }
        return reasons
    }

    private static func sameName(_ name: NodeName) -> String {
        "Two nodes are called \(name). Rename one in its node.yaml and restart apusd there."
    }

    private static func sameAddress(_ address: String, _ first: NodeName, _ second: NodeName) -> String {
        "\(first) and \(second) both have the address \(address). Correct addresses in the node.yaml of one of them."
    }

    /// `3.1` of `3.1.7`: what may be mixed while a cluster is upgraded node by node.
    private static func release(_ version: String) -> Substring {
        let parts = version.split(separator: ".", maxSplits: 2)
        return version.prefix((parts.first?.count ?? 0) + 1 + (parts.dropFirst().first?.count ?? 0))
    }

    // MARK: The witness

    /// The shared disks that a node sees.
    public struct DiskView: Hashable, Sendable {
        public var node: NodeName
        public var disks: [SharedDiskStatus]
        /// Why it sees none, if asking for them failed.
        public var problem: String?
        public init(node: NodeName, disks: [SharedDiskStatus], problem: String? = nil) {
            self.node = node
            self.disks = disks
            self.problem = problem
        }
    }

    /// - Parameters:
    ///   - offers: Of every node.
    ///   - current: The witness that the cluster has: `auto` keeps one that will do.
    public static func witness(
        seenBy offers: [DiskView], choice: WitnessChoice, force: Bool, current: Witness = .none
    ) throws(Refused) -> Witness {
        switch choice {
        case .none: return .none
        case .share(let path): return .fileShare(path: path)
        case .disk(let id):
            let disk = try seenByAll(id, offers)
            try check(disk, isNamed: true, force)
            return .disk(id: id)
        case .auto:
            // An odd number decides by itself; a witness would make it even.
            guard offers.count % 2 == 0, let first = offers.first else { return .none }
            if case .disk = current { return current }
            let common = first.disks.sorted { ($0.lun, $0.id) < ($1.lun, $1.id) }.first { disk in
                offers.allSatisfy { offer in offer.disks.contains { $0.id == disk.id } }
            }
            guard let common else {
                let problems = offers.compactMap { offer in offer.problem.map { "\(offer.node): \($0)" } }
                throw Refused([
                    "\(offers.count) nodes need a witness to break a tie, and there is no shared disk that all of them see. "
                        + "Give them a LUN of 64 MiB or more, name a file share with --witness share:/PATH, or accept with --witness none that "
                        + "the loss of \(offers.count / 2) nodes stops the cluster."
                        + (problems.isEmpty ? "" : " " + problems.joined(separator: " "))
                ])
            }
            try check(common, isNamed: false, force)
            return .disk(id: common.id)
        }
    }

    private static func seenByAll(_ id: DiskID, _ offers: [DiskView]) throws(Refused) -> SharedDiskStatus {
        let blind = offers.filter { offer in !offer.disks.contains { $0.id == id } }.map(\.node.rawValue)
        guard blind.isEmpty, let disk = offers.first?.disks.first(where: { $0.id == id }) else {
            throw Refused([
                "The witness \(id) is not seen by \(blind.joined(separator: ", ")). Compare `apus disk list` on the nodes and correct the "
                    + "SAN's access list."
            ])
        }
        return disk
    }

    /// - Parameter isNamed: The operator wrote which disk it is. A volume is never taken for less.
    private static func check(_ disk: SharedDiskStatus, isNamed: Bool, _ force: Bool) throws(Refused) {
        let carries: String
        switch disk.content {
        case .empty: return
        case .foreign(let what): carries = "carries \(what)"
        case .damaged(let what): carries = "is damaged: \(what)"
        case .clusterSharedVolume(_, let label):
            guard isNamed, force else {
                throw Refused([
                    "The first shared disk, LUN \(disk.lun) (\(disk.id)), is the volume \(label). Name another one with --witness disk:ID; "
                        + "to destroy the volume, name it together with --force."
                ])
            }
            return
        }
        guard force else {
            throw Refused([
                "LUN \(disk.lun) (\(disk.id)) \(carries). Name another disk with --witness disk:ID, or destroy what it carries with --force."
            ])
        }
    }
}
