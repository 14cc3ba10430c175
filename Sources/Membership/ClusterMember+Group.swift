import ClusterModel
import ClusterRules
import Corosync
import Logging

/// The group of node services: messages in one order for all.
extension ClusterMember {
    static let groupName = "apus"

    /// Joins the group whenever Corosync is there, and tells the log what comes from it.
    func followGroup() async {
        var complaint: CorosyncError?
        while !Task.isCancelled {
            do throws(CorosyncError) {
                let group = try await ProcessGroup.join(Self.groupName, within: .seconds(3))
                complaint = nil
                corosync(problem: nil)
                await takePart(in: group)
            } catch {
                if error != complaint { logger.warning("Corosync cannot be reached", metadata: ["reason": "\(error)"]) }
                complaint = error
                corosync(problem: "\(error)")
            }
            left()
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func takePart(in group: ProcessGroup) async {
        self.group = group
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.receive(from: group) }
            tasks.addTask { await self.awaitStall(of: group) }
            // Whichever ends first ends the other: without both there is no membership.
            await tasks.next()
            tasks.cancelAll()
            self.group = nil
            await group.leave()
        }
    }

    /// Returns when Corosync takes no message any more.
    private func awaitStall(of group: ProcessGroup) async {
        while !Task.isCancelled {
            if let since = group.stalledSince, ContinuousClock.now - since > .seconds(10) {
                logger.warning("Corosync takes no messages; joining anew")
                return
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func receive(from group: ProcessGroup) async {
        for await event in group.events {
            switch event {
            case .message(let from, let bytes): received(bytes, from: from)
            case .membership(let members, _, _): groupChanged(members.compactMap(Self.member))
            case .ring: break
            case .lost(let error):
                logger.warning("the connection to Corosync is lost", metadata: ["reason": "\(error)"])
                return
            }
            if Task.isCancelled { return }
        }
    }

    private func received(_ bytes: [UInt8], from sender: Corosync.GroupMember) {
        guard let from = Self.member(sender) else { return }
        do throws(CodingError) {
            switch try GroupMessage.decode(bytes) {
            case .log(let message): feed(.delivered(from: from, message))
            case .wrote(let version): noted(version, by: from.node)
            case .echo(let number): heardEcho(number, from: from)
            case nil: logger.debug("a message of a kind that this version does not know", metadata: ["node": "\(sender.node)"])
            }
        } catch {
            // From a version that speaks otherwise: to this node it is as if that one said nothing.
            logger.warning("a message cannot be read and is ignored", metadata: ["node": "\(sender.node)", "reason": "\(error)"])
        }
    }

    private static func member(_ member: Corosync.GroupMember) -> ClusterRules.GroupMember? {
        NodeID(member.node).map { ClusterRules.GroupMember(node: $0, process: member.processID) }
    }

    /// What is meant for a group that is gone goes with it: the log asks again.
    func send(_ message: GroupMessage) { group?.post(message.encoded()) }

    private func groupChanged(_ members: [ClusterRules.GroupMember]) {
        standing.members = members.map(\.node).sorted()
        groupIsAlive()
        feed(.membership(members))
        // Who is new does not know it yet.
        if let version = writtenVersions[settings.node] { send(.wrote(version: version)) }
        publish()
    }

    private func left() {
        standing.members = []
        feed(.membership([]))
        publish()
    }

    private func corosync(problem: String?) {
        guard standing.corosyncProblem != problem else { return }
        standing.corosyncProblem = problem
        publish()
    }
}
