import ClusterModel
import Foundation
import Lab
import Testing
import Validation

extension ValidationLab {
    /// Each test breaks one thing about the disks and expects that finding, with its cure, and no other.
    @Suite("Disks") struct DiskFaults {
        @Test("Good disks: every test of disks and shares runs, none fails, and nothing is left")
        func good() async throws {
            let stage = try ValidationStage.get()
            let share = FileManager.default.temporaryDirectory.path(percentEncoded: false) + "apus-share-\(getpid())"
            try FileManager.default.createDirectory(atPath: share, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: share) }
            // What is on a disk that only looks empty at its ends comes back.
            let treasure = Data((0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) })
            try await stage.breaking {
                try stage.write(treasure, lun: 2, at: (10 << 20) + 512)
            } mending: {
                try stage.write(Data(count: treasure.count), lun: 2, at: (10 << 20) + 512)
            } _: {
                let before = try stage.scratch(2)
                let run = try await stage.validate(
                    "storage/all-disks", "storage/shared-disks", "storage/identity", "storage/foreign-content", "storage/space",
                    "storage/witness-size", "storage/latency", "storage/throughput", "storage/coherence", "storage/flush",
                    "storage/atomicity", "storage/share-visibility", "storage/share-locks", "storage/share-sync", "storage/share-rename",
                    disks: [try await stage.disk(2), try await stage.disk(3)], shares: [share])
                #expect(run.results.count == 15)
                for result in run.results {
                    // How fast the machine is that runs the lab is not judged here.
                    let isAboutSpeed = ["latency", "throughput", "share-sync"].contains(result.id.name)
                    #expect(result.verdict < .failure || isAboutSpeed, "\(result.id): \(result.complaints)")
                    #expect(!result.findings.contains { $0.verdict == .notApplicable }, "\(result.id)")
                }
                for test in ["all-disks", "shared-disks", "identity", "foreign-content", "space", "witness-size", "coherence", "share-locks"] {
                    #expect(try run.result("storage/\(test)").verdict == .pass)
                }
                #expect(try run.result("storage/latency").findings.count == 4)
                #expect(try stage.scratch(2) == before, "What stood on the disk was not put back")
                #expect(try stage.scratch(3).allSatisfy { $0 == 0 })
                #expect(stage.traces().isEmpty)
                #expect(try FileManager.default.contentsOfDirectory(atPath: share).isEmpty)
            }
        }

        @Test("A LUN that one node does not see")
        func missing() async throws {
            let stage = try ValidationStage.get()
            let disk = try await stage.disk(3)
            try await stage.withoutLUN(3, on: ValidationStage.n2) {
                let run = try await stage.validate("storage/shared-disks", "storage/identity", "storage/latency", disks: [disk])
                let failures = try run.findings("storage/shared-disks", .failure)
                #expect(failures.map(\.subject) == [.disk(disk, node: ValidationStage.n2)])
                #expect(failures.first?.cure?.contains("Give n2 access to LUN 3") == true)
                #expect(try run.result("storage/shared-disks").headline == "n2 does not see LUN 3")
                #expect(try run.result("storage/identity").verdict == .pass)
                // A disk that a node does not see is not written to, whoever named it.
                #expect(try run.result("storage/latency").verdict == .notApplicable)
            }
        }

        @Test("Two LUNs with one identity")
        func doubles() async throws {
            let stage = try ValidationStage.get()
            let disk = try await stage.disk(2)
            try await stage.breaking {
                try await stage.name(lun: 3, as: 2)
            } mending: {
                try await stage.name(lun: 3, as: 3)
            } _: {
                let run = try await stage.validate("storage/identity", "storage/coherence", disks: [disk])
                let failures = try run.findings("storage/identity", .failure)
                #expect(failures.map(\.subject) == [.disk(disk)])
                #expect(failures.first?.cure?.contains("serial number") == true)
                #expect(try run.result("storage/identity").headline == "LUN 2 and LUN 3 have one identity")
                #expect(try run.result("storage/coherence").verdict == .notApplicable)
            }
        }

        @Test("A target that takes flushes and does nothing about them")
        func lyingFlush() async throws {
            let stage = try ValidationStage.get()
            let disk = try await stage.disk(3)
            try await stage.withMemory(behind: 3, mebibytes: 64) {
                let run = try await stage.validate("storage/flush", disks: [disk])
                let result = try run.result("storage/flush")
                let warnings = try run.findings("storage/flush", .warning)
                #expect(warnings.map(\.subject) == [.disk(disk, node: ValidationStage.n1)], "\(result)")
                #expect(warnings.first?.reason.contains("flushing it takes no time") == true)
                #expect(warnings.first?.cure?.contains("battery") == true)
            }
        }

        @Test("A slow disk")
        func slow() async throws {
            let stage = try ValidationStage.get()
            let (disk, other) = (try await stage.disk(2), try await stage.disk(3))
            let run = try await stage.withSlow(lun: 2, milliseconds: 30) { try await stage.validate("storage/latency", disks: [disk, other]) }
            let result = try run.result("storage/latency")
            let slow = result.complaints.filter { $0.subject.disk == disk }
            #expect(slow.map(\.subject) == [.disk(disk, node: ValidationStage.n1), .disk(disk, node: ValidationStage.n2)])
            #expect(slow.allSatisfy { $0.cure?.contains("array") == true }, "\(slow)")
            let medians = result.findings.compactMap { finding -> Double? in
                guard case .number(let median, .milliseconds)? = finding.figures.first(where: { $0.name == "Median write" })?.value else {
                    return nil
                }
                return finding.subject.disk == disk ? median : nil
            }
            #expect(medians.count == 2 && medians.allSatisfy { $0 >= 30 }, "\(medians)")
        }

        @Test("A disk that is too small for a witness")
        func smallWitness() async throws {
            let stage = try ValidationStage.get()
            let disk = try await stage.disk(1)
            try await stage.withMemory(behind: 1, mebibytes: 8) {
                let run = try await stage.validate("storage/witness-size", "storage/flush", disks: [disk])
                let failures = try run.findings("storage/witness-size", .failure)
                #expect(failures.map(\.subject) == [.disk(disk)])
                #expect(failures.first?.cure?.contains("--witness disk:ID") == true)
                #expect(try run.result("storage/witness-size").headline == "LUN 1 is too small for a witness")
                #expect(try run.result("storage/flush").verdict == .notApplicable)
            }
        }

        @Test("A disk with somebody's file system is told and never written to, even when it is named")
        func foreign() async throws {
            let stage = try ValidationStage.get()
            let disk = try await stage.disk(2)
            let file = try stage.lab.backingFile(lun: 2)
            try await stage.breaking {
                try await stage.inSAN(["mkfs.ext4", "-q", "-F", file])
            } mending: {
                try await stage.inSAN(["truncate", "--size", "0", file])
                try await stage.inSAN(["truncate", "--size", "\(stage.lab.description.disks[1].byteCount)", file])
            } _: {
                let before = try stage.scratch(2)
                let run = try await stage.validate("storage/foreign-content", "storage/latency", "storage/flush", disks: [disk])
                let failures = try run.findings("storage/foreign-content", .failure)
                #expect(failures.map(\.subject) == [.disk(disk)])
                #expect(failures.first?.reason.contains("ext4 file system") == true)
                #expect(failures.first?.cure?.contains("apus disk init \(disk)") == true)
                #expect(try run.result("storage/latency").verdict == .notApplicable)
                #expect(try run.result("storage/flush").verdict == .notApplicable)
                #expect(try stage.scratch(2) == before, "A disk with somebody's data was written to")
            }
        }
    }
}

extension ValidationStage {
    func write(_ data: Data, lun: Int, at offset: UInt64) throws {
        let file = try FileHandle(forWritingTo: URL(filePath: try lab.backingFile(lun: lun)))
        defer { try? file.close() }
        try file.seek(toOffset: offset)
        try file.write(contentsOf: data)
    }
}
