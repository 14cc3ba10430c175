import ClusterModel
import Foundation
import Lab
import Testing
import Validation

extension ValidationLab {
    @Suite("Folders and files of a node") struct NodeFaults {
        @Test("A node whose state folder is full")
        func full() async throws {
            let stage = try ValidationStage.get()
            let node = try stage.node(ValidationStage.n2)
            func inside(_ script: String) async throws {
                let result = try await node.exec(["sh", "-euc", script])
                try #require(result.isSuccess, "\(script): \(result)")
            }
            try await stage.breaking {
                // The same files, on a file system that has room for little more.
                try await inside(
                    """
                    mkdir -p /run/small
                    mount -t tmpfs -o size=24m small /run/small
                    cp -a /var/lib/apus/. /run/small/
                    mount --bind /run/small /var/lib/apus
                    """)
            } mending: {
                try await inside("umount /var/lib/apus; umount /run/small; rmdir /run/small")
            } _: {
                let run = try await stage.validate("system/space")
                let failures = try run.findings("system/space", .failure)
                #expect(failures.map(\.subject) == [.node(ValidationStage.n2, item: "/var/lib/apus")])
                #expect(failures.first?.reason.contains("The state folder /var/lib/apus of n2 has") == true)
                #expect(failures.first?.cure == SystemCatalogue.space.cure)
                #expect(try run.result("system/space").headline == "file systems of n2 are full or read-only")
            }
        }

        @Test("A secret that others may read")
        func permissions() async throws {
            let stage = try ValidationStage.get()
            let secret = try stage.node(ValidationStage.n1).configurationFolder + "/san-secret"
            try await stage.breaking {
                try #require(chmod(secret, 0o644) == 0)
            } mending: {
                try #require(chmod(secret, 0o600) == 0)
            } _: {
                let run = try await stage.validate("system/permissions")
                let failures = try run.findings("system/permissions", .failure)
                #expect(failures.map(\.subject) == [.node(ValidationStage.n1, item: "/etc/apus/san-secret")])
                #expect(failures.first?.cure?.contains("chmod 0600 /etc/apus/san-secret on n1") == true)
            }
        }
    }
}
