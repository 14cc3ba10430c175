import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing

/// What breaks disks in the lab, and mends them.
extension ValidationStage {
    func tgtadm(_ words: String...) async throws { try await inSAN(["tgtadm", "--lld", "iscsi"] + words) }

    func inSAN(_ words: [String]) async throws {
        let result = try await lab.san.exec(words)
        try #require(result.isSuccess, "\(words): \(result)")
    }

    private func parameters(_ lun: Int, serial: String) -> String {
        "vendor_id=APUS,product_id=\(lab.description.disks[lun - 1].product),product_rev=0001,scsi_id=\(serial),scsi_sn=\(serial)"
    }

    /// Gives a LUN the serial number and designator of another, or its own again.
    func name(lun: Int, as other: Int) async throws {
        try await tgtadm(
            "--mode", "logicalunit", "--op", "update", "--tid", "1", "--lun", "\(lun)", "--params",
            parameters(lun, serial: LabDisk.serial(lun: other)))
    }

    /// Puts another file behind a LUN.
    private func put(_ file: String, behind lun: Int) async throws {
        try await tgtadm("--mode", "logicalunit", "--op", "delete", "--tid", "1", "--lun", "\(lun)")
        try await tgtadm(
            "--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "\(lun)", "-b", file, "--bstype", "rdwr")
        try await name(lun: lun, as: lun)
    }

    /// A LUN that is held in memory and of this size, while the body runs. It takes flushes and does nothing about them.
    func withMemory<Result>(behind lun: Int, mebibytes: Int, _ body: () async throws -> Result) async throws -> Result {
        // The SAN's own /run is a file system in memory.
        let file = "/run/memory-\(lun).img"
        return try await breaking {
            try await inSAN(["truncate", "--size", "\(mebibytes)M", file])
            try await put(file, behind: lun)
        } mending: {
            try await put(try lab.backingFile(lun: lun), behind: lun)
            try await inSAN(["rm", "--force", file])
        } _: {
            try await body()
        }
    }

    /// Nodes but `node` see the LUN; `node` logs in to a target that offers the others only.
    func withoutLUN<Result>(_ lun: Int, on node: NodeName, _ body: () async throws -> Result) async throws -> Result {
        let target = lab.sanTarget + ".less"
        let file = try self.node(node).configurationFolder + "/node.yaml"
        let settings = try String(contentsOfFile: file, encoding: .utf8)
        return try await breaking {
            try await tgtadm("--mode", "target", "--op", "new", "--tid", "2", "-T", target)
            try await tgtadm("--mode", "account", "--op", "bind", "--tid", "2", "--user", lab.sanCredentials.user)
            for other in 1...lab.description.disks.count where other != lun {
                try await tgtadm(
                    "--mode", "logicalunit", "--op", "new", "--tid", "2", "--lun", "\(other)", "-b", try lab.backingFile(lun: other),
                    "--bstype", "rdwr")
                try await tgtadm(
                    "--mode", "logicalunit", "--op", "update", "--tid", "2", "--lun", "\(other)", "--params",
                    parameters(other, serial: LabDisk.serial(lun: other)))
            }
            try await tgtadm("--mode", "target", "--op", "bind", "--tid", "2", "-I", "ALL")
            let less = settings.replacingOccurrences(of: lab.sanTarget, with: target)
            try #require(less != settings, "\(file) does not name \(lab.sanTarget)")
            try less.write(toFile: file, atomically: true, encoding: .utf8)
            try await restartService(node)
        } mending: {
            try settings.write(toFile: file, atomically: true, encoding: .utf8)
            try await restartService(node)
            try await tgtadm("--mode", "target", "--op", "delete", "--force", "--tid", "2")
        } _: {
            try await body()
        }
    }

    /// Ends the node service without a warning; it is started again by the lab. Returns when it answers and sees disks.
    func restartService(_ name: NodeName) async throws {
        let node = try node(name)
        try #require(node.signal(SIGKILL, processesNamed: "apusd") == 1, "apusd does not run once on \(name)")
        // The socket of the one that died is there until the next one has made its own.
        let isBack = try await eventually(within: 60, every: 100) {
            guard let disks = try? await self.client(of: name).waiting(.seconds(3)).disks() else { return false }
            return !disks.isEmpty
        }
        try #require(isBack, "apusd on \(name) does not list disks a minute after it was killed")
    }

    /// A LUN of which every read and write takes so long, while the body runs.
    func withSlow<Result>(lun: Int, milliseconds: Int, _ body: () async throws -> Result) async throws -> Result {
        try await breaking {
            try await lab.restartSAN(slowing: lun, milliseconds: milliseconds)
            try await waitForDisks()
        } mending: {
            try await lab.restartSAN()
            try await waitForDisks()
        } _: {
            try await body()
        }
    }

    /// The nodes log in again by themselves.
    private func waitForDisks() async throws {
        for node in lab.nodes {
            let isBack = try await eventually(within: 60, every: 100) {
                let disks = try? await self.client(of: node.name).waiting(.seconds(20)).disks()
                return disks?.count == lab.description.disks.count
            }
            try #require(isBack, "\(node.name) does not see the disks a minute after the SAN was started again")
        }
    }

    /// Where tests write.
    func scratch(_ lun: Int) throws -> Data {
        let file = try FileHandle(forReadingFrom: URL(filePath: try lab.backingFile(lun: lun)))
        defer { try? file.close() }
        try file.seek(toOffset: 10 << 20)
        return try #require(try file.read(upToCount: 7 << 20))
    }

    /// What tests wrote down about what they may leave, on all nodes.
    func traces() -> [String] {
        lab.nodes.flatMap { node in
            let folder = node.stateFolder + "/validation"
            return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map { "\(node.name): \($0)" }
        }
    }
}
