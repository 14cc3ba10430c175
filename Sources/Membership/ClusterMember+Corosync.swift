import ClusterModel
import ClusterRules
import Corosync
import Foundation
import Logging

/// Corosync's configuration follows the replicated one: each node writes its file, then one node asks all Corosyncs to read theirs.
///
/// The order matters. A reload makes every node read its own file, so all files have to be there first (corosync-cfgtool(8), `-R`).
extension ClusterMember {
    /// How long a reload waits for the file of a node that is in the ring but whose service does not answer.
    private static let patience = Duration.seconds(30)
    /// How long Corosync may count otherwise than its file says. A node that just joined tells its votes a moment later.
    private static let countLimit = Duration.seconds(1)

    /// Since when something is to be done, where that is not done at once.
    private struct Reload {
        var waitingSince: ContinuousClock.Instant?
        var miscountingSince: ContinuousClock.Instant?
        var nextCount = ContinuousClock.now
    }

    func followCorosync() async {
        var wrote: UInt64 = 0
        var reload = Reload()
        var complaint: String?
        while !Task.isCancelled {
            do {
                if let wanted = CorosyncConfiguration(of: configuration) {
                    if try writeFile(wanted) || wrote != wanted.version { tell(wanted.version) }
                    wrote = wanted.version
                    try await reloadIfAllHave(wanted, &reload)
                }
                complaint = nil
            } catch {
                if complaint != "\(error)" { logger.error("Corosync's configuration does not follow", metadata: ["reason": "\(error)"]) }
                complaint = "\(error)"
            }
            try? await Task.sleep(for: .milliseconds(300))
        }
    }

    /// - Returns: Whether it was not there already.
    private func writeFile(_ wanted: CorosyncConfiguration) throws -> Bool {
        let files = CorosyncFiles(folder: settings.corosyncFolder)
        switch try files.content() {
        case .ours(let present):
            if present == wanted { return false }
            // This replica is behind what the node once knew: it will catch up.
            guard present.version < wanted.version else { return false }
        default: break
        }
        // The key first, and before anybody reads the file: from the reload on, nothing else is understood (measured with 3.1.7: it
        // changes without a new ring and without a gap when all nodes have it; one that has not is alone until it has).
        let key = configuration.corosyncKey.flatMap { Data(base64Encoded: $0.exposed) }.map { [UInt8]($0) }
        try files.write(wanted, key: key, replacesDamaged: true)
        logger.notice("corosync.conf written", metadata: ["version": "\(wanted.version)"])
        return true
    }

    private func reloadIfAllHave(_ wanted: CorosyncConfiguration, _ reload: inout Reload) async throws {
        // Not only with Corosync's quorum: after a forced one its count is what has to follow. The log's majority is authority enough.
        guard standing.log.isOpen, standing.ring.first == settings.node, try await isDue(wanted, &reload) else {
            reload.waitingSince = nil
            return
        }
        let began = reload.waitingSince ?? .now
        reload.waitingSince = began
        let missing = standing.ring.filter { (writtenVersions[$0] ?? 0) < wanted.version }
        if !missing.isEmpty {
            guard ContinuousClock.now - began > Self.patience else { return }
            logger.warning(
                "Corosync is reloaded although the file of some nodes may be old",
                metadata: ["nodes": "\(missing.map(names).joined(separator: ", "))"])
        }
        try await control.reload()
        logger.notice("Corosync reads its configuration anew", metadata: ["version": "\(wanted.version)"])
        reload = Reload()
        // The map shows the new version a moment later.
        try await Task.sleep(for: .seconds(1))
    }

    /// Whether Corosync runs with an older file, or counts otherwise than this one says.
    private func isDue(_ wanted: CorosyncConfiguration, _ reload: inout Reload) async throws -> Bool {
        if try await runningVersion() < wanted.version { return true }
        // The votes of the witness are polled over the same connection, so it is not asked more often than it takes to tell.
        guard reload.nextCount <= .now else {
            return reload.miscountingSince.map { ContinuousClock.now - $0 >= Self.countLimit } ?? false
        }
        reload.nextCount = .now + Self.countLimit
        guard let difference = try await miscount(wanted) else {
            reload.miscountingSince = nil
            return false
        }
        let since = reload.miscountingSince ?? .now
        reload.miscountingSince = since
        guard ContinuousClock.now - since >= Self.countLimit else { return false }
        logger.warning("Corosync does not count as its configuration says, and is to read it again", metadata: ["what": "\(difference)"])
        return true
    }

    /// A reload that meets a change of membership can be undone: what a node told of its votes before, when the new ring formed, is
    /// delivered after the reload and counts from then on (measured with 3.1.7: the file says one vote, `corosync-quorumtool` none). Only
    /// another reload mends that, so what is counted is looked at and not what was asked for.
    ///
    /// - Returns: The first difference; nil also while nothing can be said.
    private func miscount(_ wanted: CorosyncConfiguration) async throws(CorosyncError) -> String? {
        guard standing.isRingDecided, let votequorum else { return nil }
        for node in wanted.nodes where NodeID(node.id).map(standing.ring.contains) == true {
            let info = try await votequorum.info(of: node.id)
            if info.votes != node.votes { return "\(node.name) has \(info.votes) of \(node.votes) votes" }
        }
        return nil
    }

    /// Whether Corosync has taken over what the configuration asks for, and no change is due that would ask for something else.
    ///
    /// One reload is for all members, and it comes when the file of each is there: what runs here runs everywhere.
    func isSettled() async -> Bool {
        guard standing.mayAct, VoteRules.change(due: configuration, present: votersPresent) == nil,
            let wanted = CorosyncConfiguration(of: configuration)
        else { return false }
        do {
            guard try await runningVersion() == wanted.version else { return false }
            return try await miscount(wanted) == nil
        } catch { return false }
    }

    private func runningVersion() async throws(CorosyncError) -> UInt64 {
        try await map.integer("totem.config_version") ?? 0
    }

    private func tell(_ version: UInt64) {
        writtenVersions[settings.node] = version
        send(.wrote(version: version))
    }
    func noted(_ version: UInt64, by node: NodeID) { writtenVersions[node] = max(writtenVersions[node] ?? 0, version) }
}
