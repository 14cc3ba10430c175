import ClusterModel

/// Why a command was refused. The configuration is as it was before.
public enum CommandRejection: Error, Hashable, Sendable, CustomStringConvertible {
    case notFormed
    case alreadyFormed(ClusterName)
    case destroyed
    case invalidFounding(String)

    case unknownNode(NodeID)
    case nodeNumberUsed(NodeID, highest: UInt16)
    case nodeNameUsed(NodeName)
    case invalidAddresses(NodeName, problem: String)
    case nodeEvicted(NodeName, reason: String)
    case nodeIsUp(NodeName)
    case nodeIsDown(NodeName, NodePresence)
    case notLost(NodeName)
    case nodeMayStillWrite(NodeName)
    case nodeStillVotes(NodeName)
    case nodeOwnsMachines(NodeName, [VMName])
    case lastNode(NodeName)
    case notDraining(NodeName)
    case notPaused(NodeName)

    case staleVotes(proposed: UInt64, current: UInt64)
    case invalidSetting(String)
    case modelNeedsWitness(QuorumModel, Witness)
    case witnessStillVotes(Witness)
    case noWitness
    case witnessNot(WitnessStatus.Condition, is: WitnessStatus.Condition)

    case unknownDisk(DiskID)
    case diskKnown(DiskID)
    case diskInUse(DiskID, by: String)

    case unknownMachine(VMName)
    case machineNameUsed(VMName)
    case machineChangesIdentity(VMName)
    case machineNotStopped(VMName)
    case notOwner(VMName, claimed: NodeName, owner: NodeName)
    case staleEpoch(VMName, proposed: UInt64, current: UInt64)

    case unknownToken
    case tokenForAnotherNode(NodeName)
    case tokenExpired
    case certificateKnown(String)
    case unknownOperation
    case operationKnown

    public var description: String {
        switch self {
        case .notFormed:
            "There is no cluster yet. Create one with `apus cluster create`."
        case .alreadyFormed(let name):
            "The nodes already form the cluster \(name). Destroy it first, or add nodes to it."
        case .destroyed:
            "The cluster was destroyed; nothing can be changed any more. Create a new one with `apus cluster create`."
        case .invalidFounding(let problem):
            "The cluster cannot begin like this: \(problem)"
        case .unknownNode(let node):
            "No member has the number \(node). See `apus node list`."
        case .nodeNumberUsed(let node, let highest):
            "The number \(node) was given before; the next free one is \(Int(highest) + 1). Another node joined in the meantime: try again."
        case .nodeNameUsed(let name):
            "\(name) is a member already. Give the new node another host name, or evict the old one."
        case .invalidAddresses(let name, let problem):
            "\(name) cannot join with these addresses: \(problem)"
        case .nodeEvicted(let name, let reason):
            "\(name) was evicted (\(reason)). Reset it, then add it again with `apus node add`."
        case .nodeIsUp(let name):
            "\(name) is up. Stop it first with `apus node stop \(name)`."
        case .nodeIsDown(let name, let presence):
            "\(name) is \(presence == .stopped ? "stopped" : "lost"). Start it, or wait until it is back."
        case .notLost(let name):
            "\(name) is not lost, so there is nothing to fence."
        case .nodeMayStillWrite(let name):
            "\(name) may still write to the shared disks. Wait until it is fenced, or stop it cleanly."
        case .nodeStillVotes(let name):
            "\(name) still has a vote. It is taken before the node is removed; try again when `apus cluster quorum` shows none."
        case .nodeOwnsMachines(let name, let machines):
            "\(name) still owns \(machines.map(\.rawValue).joined(separator: ", ")). While it is up, move each with `apus vm migrate`, "
                + "or delete it with `apus vm delete`."
        case .lastNode(let name):
            "\(name) is the last node. End the cluster with `apus cluster destroy` instead."
        case .notDraining(let name):
            "\(name) is not being drained."
        case .notPaused(let name):
            "\(name) is not paused."
        case .staleVotes(let proposed, let current):
            "The votes changed in the meantime (table \(current), this change would be table \(proposed)). They are worked out anew."
        case .invalidSetting(let problem):
            problem
        case .modelNeedsWitness(let model, let witness):
            "\(model) does not fit \(witness). Set the witness with `apus cluster quorum set --witness`, or choose another model."
        case .witnessStillVotes(let witness):
            "The \(witness) still has a vote. It is taken before the witness is replaced; try again when `apus cluster quorum` shows none."
        case .noWitness:
            "The cluster has no witness. Set one with `apus cluster quorum set --witness`."
        case .witnessNot(let wanted, let found):
            "The witness is \(Self.word(found)), not \(Self.word(wanted))."
        case .unknownDisk(let disk):
            "The cluster does not use the disk \(disk). See `apus disk list`."
        case .diskKnown(let disk):
            "The cluster uses the disk \(disk) already."
        case .diskInUse(let disk, let user):
            "The disk \(disk) is used by \(user). Move that away first."
        case .unknownMachine(let name):
            "There is no virtual machine \(name). See `apus vm list`."
        case .machineNameUsed(let name):
            "There is a virtual machine \(name) already, or one with its identifier. Choose another name."
        case .machineChangesIdentity(let name):
            "\(name) would get another identifier or ownership slot. Delete it and create a new one instead."
        case .machineNotStopped(let name):
            "\(name) is not stopped. Stop it first with `apus vm stop \(name)`."
        case .notOwner(let machine, let claimed, let owner):
            "\(machine) belongs to \(owner), not to \(claimed) any more. Ask again with the owner that `apus vm show \(machine)` gives."
        case .staleEpoch(let machine, let proposed, let current):
            "\(machine) changed hands in the meantime (epoch \(current), this change was for \(proposed)). Ask again."
        case .unknownToken:
            "The join token is not known or was used already. Make a new one with `apus node token`."
        case .tokenForAnotherNode(let name):
            "The join token was made for \(name). Make one for this node with `apus node token`."
        case .tokenExpired:
            "The join token has expired. Make a new one with `apus node token`."
        case .certificateKnown(let serial):
            "A certificate with the serial \(serial) was given out already. Issue it anew with another serial."
        case .unknownOperation:
            "The operation is over already, or never began."
        case .operationKnown:
            "The operation has begun already, or another one of its kind is under way. Wait for its end: `apus cluster status`."
        }
    }

    private static func word(_ condition: WitnessStatus.Condition) -> String {
        switch condition {
        case .present: "present"
        case .maintenance: "in maintenance"
        case .lost: "lost"
        }
    }
}
