import ClusterModel
import ClusterRules
import Corosync
import Logging

/// The witness: opened as the configuration says, replaced when that changes.
extension ClusterMember {
    func followWitness() async {
        while !Task.isCancelled {
            let wanted = configuration.witness
            if wanted.witness != .none, wanted.condition != .maintenance,
                let port = await delegate.openWitness(wanted.witness, cluster: settings.cluster)
            {
                await use(port, for: wanted.witness)
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func use(_ port: any WitnessPort, for witness: Witness) async {
        opened(port)
        let work = witnessWork
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.receive(from: port) }
            tasks.addTask { await self.carryOut(work, at: port) }
            tasks.addTask { await self.awaitOther(than: witness) }
            await tasks.next()
            tasks.cancelAll()
            await port.close()
        }
        closed()
    }

    private func opened(_ port: any WitnessPort) {
        witnessPort = port
        witnessWork = Mailbox()
        port.newVotes(committedVotes)
        if let arbitrationRing { port.newRing(arbitrationRing) }
    }

    private func closed() {
        witnessPort = nil
        standing.witnessHolder = nil
        feed(.witnessLost)
        publish()
    }

    private func receive(from port: any WitnessPort) async {
        for await change in port.changes {
            if Task.isCancelled { return }
            switch change {
            case .held(let id): feed(.witnessHeld(id: id))
            case .notHeld: feed(.witnessLost)
            case .holder(let node): standing.witnessHolder = node
            case .problem(let problem): standing.witnessProblem = problem
            }
            wakeVoter.put(())
            publish()
        }
    }

    private func carryOut(_ work: Mailbox<WitnessWork>, at port: any WitnessPort) async {
        for await item in work.items {
            switch item {
            case .read(let token):
                do { feed(.witnessRead(token: token, try await port.read())) } catch {
                    feed(.witnessFailed(token: token, reason: "\(error)"))
                }
            case .write(let image, let token):
                do {
                    try await port.write(image)
                    feed(.witnessWritten(token: token))
                } catch { feed(.witnessFailed(token: token, reason: "\(error)")) }
            }
        }
    }

    /// Returns when the configuration wants another witness, or none.
    private func awaitOther(than witness: Witness) async {
        var votes = committedVotes
        while !Task.isCancelled, configuration.witness.witness == witness, configuration.witness.condition != .maintenance {
            if committedVotes != votes {
                votes = committedVotes
                witnessPort?.newVotes(votes)
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }
}
