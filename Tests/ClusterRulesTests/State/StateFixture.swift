import ClusterModel
import ClusterRules
import Foundation

/// Values that the tests of the state share.
enum StateFixture {
    static func id(_ number: UInt16) -> NodeID { NodeID(rawValue: number) ?? NodeID(rawValue: 1)! }
    static func uuid(_ number: Int) -> UUID {
        UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(number >> 8 & 0xff), UInt8(number & 0xff)))
    }
    static let witnessDisk = DiskID("naa.0001")
    static let dataDisk = DiskID("naa.0002")
    static func place(_ index: UInt64 = 1, by: String? = nil) -> CommandPlace {
        CommandPlace(index: index, time: WallTime(milliseconds: Int64(index) * 1000), proposer: id(1), requestedBy: by)
    }
    static func certificate(_ serial: String) -> CertificateFacts {
        CertificateFacts(serial: serial, fingerprint: "f" + serial, notAfter: WallTime(milliseconds: 1_000_000_000))
    }
    static func newNode(_ number: UInt16) -> NewNode {
        NewNode(
            id: id(number), name: NodeName(unchecked: "node\(number)"),
            addresses: NodeAddresses(rings: ["10.0.1.\(number)"], migration: "10.0.2.\(number)"), certificate: certificate("\(number)"))
    }
    static func founding(nodes: Int, witness: Witness, quorum: QuorumSettings? = nil) -> ClusterFounding {
        let model = QuorumModel.recommended(nodes: nodes, witness: witness)
        let numbers = (1...UInt16(nodes)).map { $0 }
        let table = VoteTable(
            nodes: Dictionary(uniqueKeysWithValues: numbers.map { (id($0), 1) }), witness: model == .nodeMajority ? 0 : 1)
        return ClusterFounding(
            id: uuid(1), name: ClusterName(unchecked: "office"), nodes: numbers.map(newNode),
            disks: [
                ClusterDisk(id: witnessDisk, use: .witness, addedAt: WallTime(milliseconds: 0)),
                ClusterDisk(
                    id: dataDisk, use: .clusterSharedVolume(id: uuid(2), label: "data"), addedAt: WallTime(milliseconds: 0)),
            ],
            witness: witness, quorum: quorum ?? QuorumSettings(model: model), votes: table,
            authority: ClusterAuthority(certificatePEM: "CERTIFICATE", privateKeyPEM: Secret("THE-KEY")))
    }
    /// A cluster of nodes 1...n, all up.
    static func cluster(nodes: Int, witness: Witness = .disk(id: witnessDisk), quorum: QuorumSettings? = nil) throws -> ClusterState {
        var state = ClusterState()
        _ = try apply(.createCluster(founding: founding(nodes: nodes, witness: witness, quorum: quorum)), at: place(), to: &state)
        return state
    }
    static func machine(_ name: String, number: Int = 7) -> VirtualMachine {
        VirtualMachine(
            definition: VMDefinition(
                name: VMName(unchecked: name), id: uuid(number), memoryMiB: 512, vcpus: 1, cpuModel: "Nehalem", machineType: "pc-q35-7.2",
                firmware: .bios, disks: [VMDisk(name: "root", byteCount: 1 << 30)], interfaces: []),
            extents: ["root": Extent(disk: dataDisk, byteOffset: 0, byteCount: 1 << 30)], firmwareVariables: nil,
            ownershipSlot: OwnershipSlot(disk: dataDisk, index: number))
    }
    static func entry(
        _ index: UInt64, _ command: ClusterCommand, request: UInt64? = nil, node: UInt16 = 1, incarnation: UInt64 = 5
    ) throws -> LogEntry {
        LogEntry(
            index: index, epoch: 1, request: RequestID(node: id(node), incarnation: incarnation, number: request ?? index),
            payload: try ClusterCoding.bytes(
                of: CommandProposal(time: WallTime(milliseconds: Int64(index)), requestedBy: "root on node1", command: command)),
            votes: command.votes, chain: index)
    }
}
