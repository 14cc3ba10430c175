import ClusterAPI
import ClusterModel
import Foundation
import MigrationRules
import NodeService
import QEMU
import Validation

/// Moves a test's guest to another node with the engine that moves machines, and looks at what a listener noticed of it.
enum GuestMove {
    /// For the whole move; the engine cancels by itself long before, unless QEMU hangs.
    static let deadline = Duration.seconds(40)
    /// From the order to cancel to the end of QEMU.
    private static let mercy = Duration.seconds(5)

    static func run(_ question: GuestMoveQuestion, _ context: ProbeContext) async throws -> GuestMoveEvidence {
        guard let guest = await context.guests.guest(question.guest) else { throw ProbeProblem("\(context.node) has no such guest.") }
        let target = try await self.target(question, context)
        let peer = GuestPeer(target, run: context.run, patience: ProbePatience.answer)
        do {
            let evidence = try await move(question, guest, peer, context)
            await peer.close()
            return evidence
        } catch {
            await peer.close()
            throw error
        }
    }

    private static func target(_ question: GuestMoveQuestion, _ context: ProbeContext) async throws -> ValidationTarget {
        if let door = question.door { return ValidationTarget(question.destination, door: door) }
        guard let member = context.peers.address(of: question.destination) else {
            throw ProbeProblem("\(question.destination) is no member of the cluster of \(context.node).")
        }
        return try ValidationTarget(
            member: member, port: context.configuration.apiPort, identity: context.configuration.directories.identity)
    }

    private static func move(
        _ question: GuestMoveQuestion, _ guest: ProbeGuests.Guest, _ peer: GuestPeer, _ context: ProbeContext
    ) async throws -> GuestMoveEvidence {
        let order = MigrationOrder(vm: guest.local.machine.name, destination: question.destination, kind: question.kind)
        let id = UUID()
        let runner = SourceRunner(
            id: id, order: order, epoch: 1, local: guest.local,
            tools: SourceTools(
                node: context.node, peer: peer, hastyPeer: peer.hasty, ownership: GuestOwnership(source: context.node),
                mayRun: { true }, hold: Hold(runtimeFolder: context.configuration.directories.runtime),
                identityFolder: await context.guests.identityFolder(context.run, context.configuration),
                acceleration: context.host.acceleration, qemuVersion: context.host.qemuVersion, logger: context.logger))
        runner.tell(.admitted)
        let ending = await withTaskGroup(of: Void.self, returning: SourceEnding.self) { group in
            group.addTask { await giveUpLate(runner, guest.local) }
            let ending = await runner.run()
            group.cancelAll()
            return ending
        }
        let ended = ContinuousClock.now
        guard let record = await runner.record else { throw ProbeProblem("The migration ended without a record: \(ending).") }
        var evidence = GuestMoveEvidence(
            outcome: record.outcome, message: record.message, totalMilliseconds: record.totalMilliseconds,
            blackoutMilliseconds: record.blackoutMilliseconds, gapMilliseconds: nil, transferredBytes: record.transferredBytes,
            passes: record.passes, lastSign: nil, firstSign: nil, signsAhead: nil, hasBrokenMemory: guest.pulse.now.hasBrokenMemory)
        guard case .moved = ending else {
            await runner.forwardLateFrames()
            return evidence
        }
        let last = guest.pulse.now.last
        let sign = try await peer.firstSign(of: id)
        await runner.forwardLateFrames()
        try await context.guests.end(question.guest, context)
        guard let last, let sign else { return evidence }
        evidence.lastSign = last.sign
        evidence.firstSign = sign.sign
        evidence.signsAhead = Int((sign.sign &- last.sign) & 0x7f)
        evidence.hasBrokenMemory = evidence.hasBrokenMemory || sign.hasBrokenMemory
        // The pieces are each measured on one clock: the last sign and the order to resume here, the first sign there.
        evidence.gapMilliseconds = max(0, ((peer.resumedAt ?? ended) - last.at) / .milliseconds(1) + sign.milliseconds)
        return evidence
    }

    /// A QEMU that hangs must not hold the run up.
    private static func giveUpLate(_ runner: SourceRunner, _ local: LocalMachine) async {
        do {
            try await Task.sleep(for: deadline)
            runner.tell(.cancelAsked)
            try await Task.sleep(for: mercy)
            try await local.process.kill()
        } catch {
            // Cancelled: it ended in time. A QEMU that does not die is told of by the one who gives it back.
        }
    }
}
