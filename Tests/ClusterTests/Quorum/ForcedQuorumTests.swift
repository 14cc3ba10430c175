import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Testing

/// An operator makes the lesser side of a broken cluster go on.
///
/// Goal: with the witness in reach it changes hands, even from a node that lives, and nothing is lost; without it the other side yields when
/// it returns, and what it drops is told. Who ordered it stands in the history.
@Suite(.serialized, .cluster, .enabled(if: geteuid() == 0, "The lab needs root."))
struct ForcedQuorumTests {
    @Test("The witness answers: it is taken from the node that holds it, and no change is lost")
    func witnessIsTaken() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        let winner = try await stage.holder()
        let loser = other(winner)
        let known = try await stage.lastEvent(at: loser)
        try await PartitionWatch.during(stage) {
            try await stage.node(loser).cut(.cluster)
            _ = try await stage.wait(winner, until: "open alone") { $0.isOpen && $0.nodes.filter(\.isPresent).count == 1 }
            _ = try await stage.wait(loser, until: "closed") { !$0.isOpen && $0.nodes.filter(\.isPresent).count == 1 }
            let seconds = try await stage.changeSecondsUntilStop(at: winner)
            // Where there is nothing to be forced it is refused.
            let refusal = await #expect(throws: APIError.self) {
                _ = try await stage.client(of: winner).waiting(.seconds(60)).forceQuorum(ForceQuorumRequest(reason: "a slip"))
            }
            #expect(refusal?.code == .refused)

            let forced = try await stage.client(of: loser).waiting(.seconds(60))
                .forceQuorum(ForceQuorumRequest(reason: "\(winner) smells of smoke"))
            #expect(forced.isOpen)
            #expect(forced.witness?.holder == loser)
            #expect(forced.secondsUntilStop == seconds, "what the other side was promised is lost")
            _ = try await stage.wait(winner, until: "without quorum") { !$0.isOpen }
            try await stage.node(loser).restore(.cluster)
            try await stage.settle()
        }
        let events = try await stage.client(of: winner).events(after: known)
        let order = try #require(events.first { $0.cause?.contains("smells of smoke") == true })
        #expect(order.severity == .warning)
        #expect(order.cause?.contains("an administrator at \(loser)") == true)
        #expect(!events.contains { $0.sentence.contains("gave way") })
    }

    @Test("The witness does not answer: the other side yields when it returns, and its dropped changes are told")
    func otherSideYields() async throws {
        let stage = try ClusterStage.get()
        try await stage.settle()
        let other = try await stage.holder()
        let node = ClusterStage.nodes.first { $0 != other } ?? other
        let known = try #require(await stage.status(node))
        let told = try await stage.lastEvent(at: node)
        for network in [LabNetwork.cluster, .storage] { try await stage.node(node).cut(network) }
        _ = try await stage.wait(other, until: "open alone") { $0.isOpen && $0.nodes.filter(\.isPresent).count == 1 }
        _ = try await stage.wait(node, until: "closed") { !$0.isOpen && $0.witness?.problem != nil }
        // Acknowledged by the other node and the witness, and lost by the order.
        let dropped = try await stage.changeSecondsUntilStop(at: other)
        let forced = try await stage.client(of: node).waiting(.seconds(60)).forceQuorum(ForceQuorumRequest(reason: "the rest burnt"))
        #expect(forced.isOpen)
        #expect(forced.votesTotal == 1)
        #expect(forced.secondsUntilStop == known.secondsUntilStop)
        _ = try await stage.wait(node, until: "warning of it") {
            $0.warnings.contains { $0.contains("Quorum was forced by an administrator at \(node)") }
        }
        let kept = try await stage.changeSecondsUntilStop(at: node, not: dropped)

        // The order still holds for the witness: it is taken as soon as it answers, and the other side has nothing left.
        try await stage.node(node).restore(.storage)
        _ = try await stage.wait(other, until: "without quorum") { !$0.isOpen }
        _ = try await stage.wait(node, until: "the holder") { $0.isOpen && $0.witness?.holder == node }
        try await stage.node(node).restore(.cluster)
        try await stage.settle()
        for each in ClusterStage.nodes { #expect(await stage.status(each)?.secondsUntilStop == kept) }

        let loss = try await stage.event(at: node, after: told, "what was dropped") { $0.sentence.contains("gave way") }
        #expect(loss.severity == .error)
        #expect(loss.sentence.contains("\(other)") && loss.sentence.contains("set quorum options"))
        let order = try await stage.event(at: other, after: told, "the order") { $0.kind == .quorumForced }
        #expect(order.cause?.contains("the rest burnt") == true && order.cause?.contains("an administrator at \(node)") == true)
        #expect(try #require(await stage.status(node)).warnings.isEmpty)
    }
}
