import ClusterModel
import Foundation

/// What is up in a lab.
public struct LabStatus: Hashable, Sendable, Codable {
    public var prefix: String
    public var migrationLimit: BitRate?
    public var nodes: [Node]
    public var sanIsRunning: Bool
    /// Its plug is pulled.
    public var sanIsCut: Bool
    public var sanPortal: String
    public var sanTarget: String
    public var disks: [Disk]

    public struct Node: Hashable, Sendable, Codable {
        public var name: NodeName
        public var isRunning: Bool
        /// Whether `apusd` answers on its socket.
        public var serviceAnswers: Bool
        public var clusterAddress: String
        public var storageAddress: String
        public var migrationAddress: String
        public var apiSocket: String
        public var serviceLog: String
        /// Networks whose plug is pulled.
        public var cut: [LabNetwork]
        public var processes: Int
    }

    public struct Disk: Hashable, Sendable, Codable {
        public var lun: Int
        public var product: String
        public var serial: String
        public var byteCount: UInt64
        public var file: String
    }
}

extension Lab {
    public func status() async throws(LabError) -> LabStatus {
        let cuts = try await networks.cutPorts()
        var rows: [LabStatus.Node] = []
        for node in nodes {
            rows.append(
                LabStatus.Node(
                    name: node.name, isRunning: node.isRunning,
                    serviceAnswers: node.isRunning ? await ServiceProbe.answers(socket: node.apiSocket) : false,
                    clusterAddress: node.address(on: .cluster) ?? "", storageAddress: node.address(on: .storage) ?? "",
                    migrationAddress: node.address(on: .migration) ?? "", apiSocket: node.apiSocket, serviceLog: node.serviceLog,
                    cut: LabNetwork.allCases.filter { cuts.contains(Networks.port(.node(node.name), $0)) },
                    processes: node.member.processes.count))
        }
        let disks = description.disks.enumerated().map { index, disk in
            LabStatus.Disk(
                lun: index + 1, product: disk.product, serial: LabDisk.serial(lun: index + 1), byteCount: disk.byteCount,
                file: folder.disk(lun: index + 1))
        }
        return LabStatus(
            prefix: folder.prefix, migrationLimit: description.migrationLimit, nodes: rows,
            sanIsRunning: !san.processes(named: "tgtd").isEmpty, sanIsCut: cuts.contains(Networks.port(.san, .storage)),
            sanPortal: SAN.portal, sanTarget: sanTarget, disks: disks)
    }
}
