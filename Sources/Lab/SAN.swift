import ClusterModel
import Foundation

/// The lab's SAN: one iSCSI target of tgt, with CHAP and a list of initiators, and disks of known identity.
struct SAN: Sendable {
    let keeper: Keeper
    let folder: LabFolder
    let description: LabDescription
    let credentials: SANCredentials

    static let port = 3260
    static func target(prefix: String) -> String { "iqn.2025-01.io.apus.lab:\(prefix).san" }
    static func initiator(_ node: NodeName) -> String { "iqn.2025-01.io.apus.lab:\(node)" }
    static var portal: String { "\(LabNetwork.sanAddress):\(port)" }

    func makeDisks() throws(LabError) {
        try Files.makeFolder(folder.disks, mode: 0o700)
        for (index, disk) in description.disks.enumerated() {
            try Files.makeSparse(folder.disk(lun: index + 1), byteCount: disk.byteCount)
        }
    }

    /// Starts tgtd and makes the target; returns when it can be logged in to.
    ///
    /// Its control socket lies in the member's own `/run`, so several labs need no control ports of their own.
    ///
    /// - Parameter slowDisk: Its reads and writes each take so long.
    func start(slowDisk: SlowDisk? = nil) async throws(LabError) {
        try await keeper.script("mkdir -p /run/tgtd")
        if !Files.exists(folder.tgtdLog) { try Files.write(Data(), to: folder.tgtdLog) }
        // Started through a descriptor opened out here, because the lab's folder is not seen inside.
        let daemon = try keeper.entering(
            (try await slowDisk?.environment(folder) ?? []) + ["tgtd", "-f", "--iscsi", "portal=\(Self.portal),nop_interval=5,nop_count=3"])
        try await Command.check(["setsid", "--fork", "sh", "-c", #"exec >>"$0" 2>&1 </dev/null; exec "$@""#, folder.tgtdLog] + daemon)
        try await waitForDaemon()

        var steps = [
            "--mode target --op new --tid 1 -T \(Self.target(prefix: description.prefix))",
            "--mode account --op new --user \(credentials.user) --password \(credentials.secret)",
            "--mode account --op bind --tid 1 --user \(credentials.user)",
        ]
        for (index, disk) in description.disks.enumerated() {
            let lun = index + 1
            let serial = LabDisk.serial(lun: lun)
            steps += [
                "--mode logicalunit --op new --tid 1 --lun \(lun) -b \(folder.disk(lun: lun)) --bstype rdwr",
                "--mode logicalunit --op update --tid 1 --lun \(lun) --params "
                    + "vendor_id=\(LabDisk.vendor),product_id=\(disk.product),product_rev=0001,scsi_id=\(serial),scsi_sn=\(serial)",
            ]
        }
        for node in description.nodes { steps.append("--mode target --op bind --tid 1 -Q \(Self.initiator(node))") }
        try await keeper.script(steps.map { "tgtadm --lld iscsi " + $0 }.joined(separator: "\n"))
    }

    /// A disk that needs at least so long for each read and write.
    struct SlowDisk {
        var lun: Int
        var milliseconds: Int
        var tools: LabTools

        /// Words before those of the daemon. Built beside the disks, where the daemon sees it.
        func environment(_ folder: LabFolder) async throws(LabError) -> [String] {
            let library = folder.disks + "/slow-disk.so"
            try await Command.check(["cc", "-shared", "-fPIC", "-O1", "-o", library, tools.scripts + "/faults/slow-disk.c", "-ldl"])
            return [
                "env", "LD_PRELOAD=\(library)", "SLOW_FILE=\(folder.disk(lun: lun))", "SLOW_MILLISECONDS=\(milliseconds)",
            ]
        }
    }

    private func waitForDaemon() async throws(LabError) {
        for _ in 0..<250 {
            let result = try await Command.run(try keeper.entering(["tgtadm", "--lld", "iscsi", "--mode", "sys", "--op", "show"]))
            if result.isSuccess { return }
            do { try await Task.sleep(for: .milliseconds(20)) } catch { throw .refused("Starting the SAN was cancelled.") }
        }
        throw .timeout("tgtd did not answer in 5 s; it says: \(String((Files.text(folder.tgtdLog) ?? "").suffix(500)))")
    }
}

/// CHAP name and secret, made anew for each lab.
struct SANCredentials: Hashable, Sendable, Codable {
    var user: String
    var secret: String

    /// 96 random bits as 24 hexadecimal digits: the shortest that RFC 7143 section 9.2.1 recommends.
    static func random() -> SANCredentials {
        let words = (0..<3).map { _ in UInt32.random(in: .min ... .max) }
        return SANCredentials(
            user: "apus",
            secret: words.map { word in
                let digits = String(word, radix: 16)
                return String(repeating: "0", count: 8 - digits.count) + digits
            }.joined())
    }
}
