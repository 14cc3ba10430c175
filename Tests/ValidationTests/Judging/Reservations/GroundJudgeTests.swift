import ClusterModel
import Foundation
import Testing

@testable import Validation

@Suite("Ground of reservation tests")
struct GroundJudgeTests {
    static let disk = DiskID("t10.X")
    static let own = DiskKey(run: ModelDisk.run, node: 1, number: 1)
    static let other = DiskKey(run: UUID(), node: 1, number: 1)
    static let cluster = DiskKey(rawValue: 0x4150_1234_0001_0007)
    static let foreign = DiskKey(rawValue: 0x1)

    static func obstacles(keys: [DiskKey] = [], holder: DiskKey? = nil, refusal: String? = nil) -> [GroundJudge.Obstacle] {
        GroundJudge.obstacles(
            [.init(disk: disk), .init(disk: disk, keys: keys, holder: holder, refusal: refusal)], run: ModelDisk.run)
    }

    @Test("Keys of the run, and none at all, keep no test from the disk")
    func clean() {
        #expect(Self.obstacles() == [])
        #expect(Self.obstacles(keys: [Self.own], holder: Self.own) == [])
    }

    @Test(
        "Keys of others are told and what to do about them",
        arguments: [(other, "Another validation"), (cluster, "A cluster uses"), (foreign, "Find out which hosts")])
    func keysOfOthers(key: DiskKey, cure: String) throws {
        for obstacle in [Self.obstacles(keys: [Self.own, key]), Self.obstacles(keys: [], holder: key)].flatMap({ $0 }) {
            let outcome = GroundJudge.outcome(obstacle, isFirst: true)
            let finding = try #require(outcome.findings.first)
            #expect(finding.verdict == .failure && finding.subject == .disk(Self.disk))
            #expect(finding.reason.contains("\(key)") && !finding.reason.contains("\(Self.own)"))
            #expect(finding.cure?.hasPrefix(cure) == true, "\(finding)")
            #expect(outcome.headline == "disk t10.X is registered or reserved by others")
            #expect(GroundJudge.outcome(obstacle, isFirst: false).findings.map(\.verdict) == [.notApplicable])
        }
    }

    @Test("A disk without reservations is told once")
    func without() throws {
        let obstacle = try #require(Self.obstacles(refusal: "READ KEYS was refused.").first)
        let outcome = GroundJudge.outcome(obstacle, isFirst: true)
        #expect(outcome.findings.map(\.verdict) == [.failure])
        #expect(outcome.findings[0].cure?.hasPrefix("Enable SCSI-3 persistent reservations") == true)
        #expect(outcome.headline == "disk t10.X has no SCSI-3 persistent reservations")
        #expect(GroundJudge.outcome(obstacle, isFirst: false).findings.map(\.verdict) == [.notApplicable])
    }

    @Test("Keys cross the wire as text and come back the same", arguments: [0, 1, 0x4156_0000_0000_0001, UInt64.max])
    func coding(raw: UInt64) throws {
        let key = DiskKey(rawValue: raw)
        let data = try JSONEncoder().encode([key])
        #expect(try JSONDecoder().decode([DiskKey].self, from: data) == [key])
    }

    @Test(
        "What is no key is refused",
        arguments: [
            "\"\"", "\"0x\"", "\"4156000000000001ab\"", "\"0x+156000000000001\"", "\"0x41560000000000011\"", "7", "\"0xGG56000000000001\"",
        ])
    func hostile(text: String) {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([DiskKey].self, from: Data("[\(text)]".utf8)) }
    }

    @Test("Keys tell whose they are")
    func whose() {
        #expect(Self.own.belongs(to: ModelDisk.run) && Self.own.isOfValidation && !Self.own.isOfCluster)
        #expect(!Self.cluster.isOfValidation && Self.cluster.isOfCluster && !Self.foreign.isOfValidation)
        #expect(DiskKey(run: ModelDisk.run, node: 1, number: 1) != DiskKey(run: ModelDisk.run, node: 1, number: 2))
        #expect(DiskKey(run: ModelDisk.run, node: 70_000, number: -1).belongs(to: ModelDisk.run))
    }
}
