import ClusterAPI
import ClusterModel
import Foundation
import Validation

/// The other members of the cluster, as a ``ReportKeeper`` needs them.
public struct ReportNeighbours: Sendable {
    /// The cluster's name and its members, this node included; nil while it belongs to none.
    public var membership: @Sendable () async -> (cluster: ClusterName, members: Set<NodeName>)?
    /// What another member keeps.
    public var list: @Sendable (NodeName) async throws -> [KeptReport]
    /// A report from another member.
    public var report: @Sendable (UUID, NodeName) async throws -> ValidationRun
    /// Tells another member that there is something to be fetched here; returns when it has fetched it.
    public var notify: @Sendable (NodeName) async throws -> Void

    public init(
        membership: @escaping @Sendable () async -> (cluster: ClusterName, members: Set<NodeName>)?,
        list: @escaping @Sendable (NodeName) async throws -> [KeptReport],
        report: @escaping @Sendable (UUID, NodeName) async throws -> ValidationRun,
        notify: @escaping @Sendable (NodeName) async throws -> Void
    ) {
        self.membership = membership
        self.list = list
        self.report = report
        self.notify = notify
    }
}

/// Keeps the reports of a node, and lets every member of its cluster have all of them.
///
/// Nothing is pushed. A node that has a new report tells the others, and each fetches what it lacks; a member that was away asks the others when
/// it is back. So there is one way in, on which everything is looked at before it is kept.
public actor ReportKeeper {
    public nonisolated let folder: ReportFolder
    private let node: NodeName
    private let retention: ReportRetention
    private let neighbours: ReportNeighbours
    /// Told what could not be fetched: sentences.
    private let complain: @Sendable (String) -> Void
    /// What was offered and is not worth having, so that it is not fetched again and again.
    private var refused: Set<UUID> = []
    private var fetching: Set<UUID> = []
    /// By the name of its files; a report that is kept does not change.
    private var known: [String: (size: Int, report: KeptReport)] = [:]

    public init(
        _ folder: ReportFolder, node: NodeName, retention: ReportRetention = ReportRetention(), neighbours: ReportNeighbours,
        complain: @escaping @Sendable (String) -> Void
    ) {
        self.folder = folder
        self.node = node
        self.retention = retention
        self.neighbours = neighbours
        self.complain = complain
    }

    /// Keeps a run of this node, and lets go what is too old or too much then.
    public func keep(_ run: ValidationRun) throws(ReportFolderError) -> StoredReport {
        let stored = try folder.save(run)
        prune()
        return stored
    }

    /// Tells every other member that there is a new report, and waits until each has it, or does not answer.
    public func tell() async {
        guard let others = await neighbours.membership()?.members.subtracting([node]) else { return }
        let neighbours = neighbours
        await withTaskGroup(of: Void.self) { group in
            for other in others {
                // A member that does not answer asks by itself when it is back.
                group.addTask { try? await neighbours.notify(other) }
            }
        }
    }

    /// What this node offers: in a cluster, what concerns it; else everything. The newest first.
    public func offered() async -> [KeptReport] {
        let kept = retention.kept(of: own())
        guard let membership = await neighbours.membership() else { return kept }
        return kept.filter { Self.concerns(membership, cluster: $0.cluster, nodes: $0.nodes) }
    }

    /// Asks the other members for what this node lacks, again and again until cancelled.
    public func keepComplete(every pause: Duration = .seconds(30)) async {
        while !Task.isCancelled {
            if let others = await neighbours.membership()?.members.subtracting([node]) {
                for other in others.sorted() { await fetch(from: other) }
            }
            try? await Task.sleep(for: pause)
        }
    }

    /// Fetches what another member has and this node lacks.
    public func fetch(from other: NodeName) async {
        guard let membership = await neighbours.membership(), other != node, membership.members.contains(other),
            let offered = try? await neighbours.list(other)
        else { return }
        let concerning = offered.filter { Self.concerns(membership, cluster: $0.cluster, nodes: $0.nodes) && !refused.contains($0.id) }
        let now = WallTime(Date())
        for report in retention.lacking(own(), offered: concerning, now: now) where fetching.insert(report.id).inserted {
            defer { fetching.remove(report.id) }
            let run: ValidationRun
            do { run = try await neighbours.report(report.id, other) } catch {
                // A node that went away is asked again later; what it cannot give, or nobody here can read, must not hide the rest.
                guard !Task.isCancelled, ![.unreachable, .timeout, .busy, .refused].contains((error as? APIError)?.code) else { return }
                refuse(report, of: other, (error as? APIError)?.message ?? "\(error)")
                continue
            }
            do { try take(run, as: report, membership) } catch { refuse(report, of: other, error.description) }
        }
        prune()
    }

    // MARK: What is let in

    private func take(
        _ run: ValidationRun, as offer: KeptReport, _ membership: (cluster: ClusterName, members: Set<NodeName>)
    ) throws(ReportFolderError) {
        guard (1...ValidationRun.currentFormat).contains(run.format) else { throw .strange("Its format is \(run.format).") }
        guard run.id == offer.id, run.began == offer.began, run.subject.nodes == offer.nodes, run.subject.cluster == offer.cluster else {
            throw .strange("It is another one than was offered.")
        }
        guard Self.concerns(membership, cluster: run.subject.cluster, nodes: run.subject.nodes) else {
            throw .strange("It is of another cluster.")
        }
        let size: Int
        do { size = try JSONReport.bytes(of: run).count } catch { throw .strange("\(error)") }
        // Another version writes a field more or less; what was offered as small and is large would push others out.
        guard size <= 2 * offer.byteCount + 65_536, size <= JSONReport.largestFile else { throw .strange("It is larger than was offered.") }
        _ = try folder.save(run)
    }

    /// Of the cluster, or of nodes of it from before they were one: the validation that a cluster is made after belongs to it.
    private static func concerns(
        _ membership: (cluster: ClusterName, members: Set<NodeName>), cluster: ClusterName?, nodes: [NodeName]
    ) -> Bool {
        if let cluster { return cluster == membership.cluster }
        return nodes.contains(where: membership.members.contains)
    }

    private func refuse(_ report: KeptReport, of other: NodeName, _ reason: String) {
        if refused.count >= 1_000 { refused = [] }
        refused.insert(report.id)
        complain("The report \(report.id.uuidString.lowercased()) that \(other) offers is not kept. \(reason)")
    }

    // MARK: What is here

    private func own() -> [KeptReport] {
        // A folder that cannot be read holds nothing that could be offered; saving into it says why.
        let sizes = (try? folder.sizes()) ?? [:]
        known = known.filter { sizes[$0.key] == $0.value.size }
        for (name, size) in sizes where known[name] == nil {
            // One that cannot be read is listed with its problem, and stays.
            guard let run = try? folder.load(name).run else { continue }
            known[name] = (size, KeptReport(run, byteCount: size))
        }
        return known.values.map(\.report)
    }

    private func prune() {
        let own = own()
        let kept = Set(retention.kept(of: own).map(\.id))
        for (name, entry) in known where !kept.contains(entry.report.id) {
            do throws(ReportFolderError) { try folder.remove(name) } catch { complain(error.description) }
        }
    }
}
