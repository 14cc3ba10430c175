import ClusterModel
import Foundation
import Lab
import Testing
import Validation

extension ValidationLab {
    @Suite("Faults of a node's system")
    struct SystemFaults {
        private static let (n1, n2) = (ValidationStage.n1, ValidationStage.n2)

        @Test("A clock that is two minutes off is found") func clock() async throws {
            // The nodes of the lab share the kernel's clock; libfaketime gives n2's node service another one.
            let library = "/usr/lib/\(Self.libraries)/faketime/libfaketimeMT.so.1"
            try #require(FileManager.default.fileExists(atPath: library), "libfaketime is missing; `make setup` installs it")
            let stage = try ValidationStage.get()
            try await stage.replacing(
                stage.lab.tools.apusd, on: Self.n2,
                with: """
                    #!/bin/sh
                    FAKETIME=+120s FAKETIME_DONT_FAKE_MONOTONIC=1 LD_PRELOAD=\(library) exec "$ORIGINAL" "$@"
                    """
            ) {
                let run = try await stage.run(["network/clock-offset", "system/certificates"])
                let finding = try #require(try run.findings("network/clock-offset", .failure).first)
                #expect(finding.subject == .pair(Self.n1, Self.n2))
                #expect(
                    finding.reason == "The clock of n2 is 120 s ahead of that of n1.", "within half a second, measured over the network")
                #expect(finding.cure?.contains("chrony") == true)
                #expect(try run.result("network/clock-offset").headline == "the clocks of n1 and n2 differ by 120 s")
                #expect(try run.result("system/certificates").verdict == .pass)
            }
        }

        private static var libraries: String {
            #if arch(arm64)
            "aarch64-linux-gnu"
            #else
            "x86_64-linux-gnu"
            #endif
        }

        @Test("Another version of QEMU on one node is found") func qemuVersion() async throws {
            let stage = try ValidationStage.get()
            try await stage.replacing(
                "/usr/bin/qemu-system-x86_64", on: Self.n2,
                with: """
                    #!/bin/sh
                    # It looks for its modules beside itself, and here it is elsewhere.
                    export QEMU_MODULE_DIR=/usr/lib/\(Self.libraries)/qemu
                    case "$*" in
                    *"-qmp stdio"*) "$ORIGINAL" "$@" | sed -u 's/"micro": [0-9]*, "minor": [0-9]*, "major": [0-9]*/"micro": 3, "minor": 1, "major": 99/' ;;
                    *) exec "$ORIGINAL" "$@" ;;
                    esac
                    """
            ) {
                let run = try await stage.run(["system/versions", "system/architecture"])
                let findings = try run.findings("system/versions", .warning)
                #expect(findings.map(\.subject) == [.node(Self.n2, item: "qemu")], "\(findings.map(\.reason))")
                #expect(findings.first?.reason.hasPrefix("n2 has QEMU 99.1.3, n1 has ") == true)
                #expect(findings.first?.cure?.contains("Update QEMU on the node with the older version, after draining it") == true)
                #expect(try run.result("system/architecture").verdict == .pass)
            }
        }

        @Test("Too low a limit of locked memory is found") func lockedMemory() async throws {
            let stage = try ValidationStage.get()
            let node = try stage.node(Self.n2)
            let process = try #require(node.member.processes(named: "apusd").first)
            let before = try await node.exec(["prlimit", "--pid", "\(process)", "--memlock", "--noheadings", "--output", "SOFT,HARD"])
            let values = before.output.split(separator: " ").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
            try #require(before.isSuccess && values.count == 2, "\(before)")
            try await stage.breaking {
                try await node.script("prlimit --pid \(process) --memlock=1048576:\(values[1])")
            } mending: {
                try await node.script("prlimit --pid \(process) --memlock=\(values[0]):\(values[1])")
            } _: {
                let run = try await stage.run(["system/limits"])
                let findings = try run.findings("system/limits", .warning).filter { $0.subject.item == "locked memory" }
                #expect(findings.map(\.subject.node) == [Self.n2])
                #expect(findings.first?.reason.contains("may lock 1 MiB of memory") == true)
                #expect(findings.first?.cure?.contains("LimitMEMLOCK=infinity") == true)
            }
        }
    }
}
