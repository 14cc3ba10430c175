import Foundation
import Lab
import Testing

/// The lab's SAN as an initiator sees it; QEMU's own tool is the initiator.
@Suite(.serialized, .enabled(if: geteuid() == 0, "The lab needs root."))
struct SANTests {
    @Test("Only the lab's nodes get in, with the secret, and what they write is in the file behind the disk", .timeLimit(.minutes(1)))
    func access() async throws {
        try await withLab(try LabDescription(prefix: "lsa")) { lab in
            let node = try lab.node("n1")
            let (user, secret) = lab.sanCredentials
            func write(_ initiator: String, _ secret: String, lun: Int) async throws -> CommandResult {
                let place = "driver=raw,file.driver=iscsi,file.transport=tcp,file.portal=10.72.0.254:3260,file.target=\(lab.sanTarget)"
                let who = "file.lun=\(lun),file.initiator-name=\(initiator),file.user=\(user),file.password-secret=chap"
                return try await node.exec([
                    "qemu-io", "--object", "secret,id=chap,data=\(secret)", "--image-opts", "\(place),\(who)", "-c",
                    "write -P 0x5a 1M 4k", "-c", "flush",
                ])
            }
            let good = try await write("iqn.2025-01.io.apus.lab:n1", secret, lun: 2)
            #expect(good.isSuccess && good.output.contains("wrote 4096/4096"), "\(good)")
            let file = try #require(FileHandle(forReadingAtPath: try lab.backingFile(lun: 2)))
            try file.seek(toOffset: 1 << 20)
            #expect(try file.read(upToCount: 4_096) == Data(repeating: 0x5a, count: 4_096))

            // The third node of a lab of two.
            let stranger = try await write("iqn.2025-01.io.apus.lab:n3", secret, lun: 2)
            #expect(!stranger.isSuccess && stranger.errors.contains("Failed to connect"), "\(stranger)")
            let wrong = try await write("iqn.2025-01.io.apus.lab:n1", "000000000000000000000000", lun: 2)
            #expect(!wrong.isSuccess && wrong.errors.contains("Failed to connect"), "\(wrong)")
            let absent = try await write("iqn.2025-01.io.apus.lab:n1", secret, lun: 4)
            #expect(!absent.isSuccess, "\(absent)")

            #expect(throws: LabError.self) { try lab.backingFile(lun: 4) }
            #expect(throws: LabError.self) { try lab.backingFile(lun: 0) }
        }
    }
}
