import ClusterModel
import Foundation
import Testing

@testable import SharedDisks

@Suite("A witness on a file share", .timeLimit(.minutes(1)))
struct FileShareWitnessTests {
    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let path = NSTemporaryDirectory() + "share-\(UUID())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(path)
    }

    @Test("Content, heartbeats, damage and refusals as on a disk")
    func store() async throws {
        try await inFolder { path in
            let cluster = UUID()
            let made = try await FileShareWitness.initialize(path, cluster: cluster, clusterName: "lab")
            #expect(try await made.readNewest().content == WitnessContent())
            for index in 1...4 as ClosedRange<UInt64> { try await made.write(WitnessVolumeTests.content(index)) }
            let witness = try await FileShareWitness.open(path, cluster: cluster)
            #expect(try await witness.readNewest().content == WitnessVolumeTests.content(4))
            let files = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
            #expect(files == ["configuration-0-0", "configuration-0-1", "witness"])

            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path + "/configuration-0-1"))
            let other = try await witness.readNewest()
            #expect(other.content == WitnessVolumeTests.content(3) && other.mayBeStale)
            try FileManager.default.removeItem(atPath: path + "/configuration-0-0")
            await #expect(throws: WitnessError.self) { try await witness.readNewest() }
            await #expect(throws: WitnessError.self) { try await witness.write(WitnessContent()) }

            let node = try #require(NodeID(rawValue: 40_000))
            let beat = WitnessHeartbeat(
                node: node, incarnation: 1, counter: 2, claims: false, epoch: 3, time: Date(timeIntervalSince1970: 1_700_000_000))
            #expect(try await witness.heartbeats(of: [node]) == [node: .never])
            try await witness.writeHeartbeat(beat)
            #expect(try await witness.heartbeats(of: [node]) == [node: .beat(beat)])

            await #expect(throws: WitnessError.self) { try await FileShareWitness.initialize(path, cluster: cluster, clusterName: "lab") }
            let foreign = await #expect(throws: WitnessError.self) { try await FileShareWitness.open(path, cluster: UUID()) }
            #expect(foreign?.description.contains("cluster lab") == true)
            let missing = await #expect(throws: WitnessError.self) { try await FileShareWitness.open(path + "/none", cluster: cluster) }
            if case .notAWitness? = missing {} else { Issue.record("\(String(describing: missing))") }
        }
    }

    @Test("The lock has one holder; whoever knows it can take it, and terms rise")
    func lock() async throws {
        try await inFolder { path in
            let cluster = UUID()
            let one = try await FileShareWitness.initialize(path, cluster: cluster, clusterName: "lab")
            let two = try await FileShareWitness.open(path, cluster: cluster)
            #expect(try await one.holder() == ShareHolder(key: nil, term: 0))
            #expect(try await one.exchange(nil, for: 11))
            #expect(try await two.exchange(nil, for: 22) == false)
            #expect(try await two.holder() == ShareHolder(key: 11, term: 1))
            #expect(try await two.exchange(11, for: 22))
            #expect(try await one.exchange(11, for: nil) == false)
            #expect(try await two.exchange(22, for: nil))
            #expect(try await one.holder() == ShareHolder(key: nil, term: 3))
            try Data("nonsense".utf8).write(to: URL(fileURLWithPath: path + "/lock"))
            #expect(try await one.holder().key == nil)
        }
    }

    @Test("What a former holder writes late is never looked at, and it does not count it")
    func lateWrite() async throws {
        try await inFolder { path in
            let cluster = UUID()
            let old = try await FileShareWitness.initialize(path, cluster: cluster, clusterName: "lab")
            let new = try await FileShareWitness.open(path, cluster: cluster)
            #expect(try await old.exchange(nil, for: 11))
            for index in 1...3 as ClosedRange<UInt64> { try await old.write(WitnessVolumeTests.content(index)) }
            #expect(try await new.exchange(11, for: 22))
            // Before the new holder has written anything, it finds what the old one left.
            #expect(try await new.readNewest().content == WitnessVolumeTests.content(3))
            try await new.write(WitnessVolumeTests.content(4))
            let refused = await #expect(throws: WitnessError.self) { try await old.write(WitnessVolumeTests.content(9)) }
            #expect(refused?.isExclusion == true)
            // One that had begun lands in its own term.
            try FileManager.default.copyItem(atPath: path + "/configuration-2-0", toPath: path + "/configuration-1-0.late")
            _ = rename(path + "/configuration-1-0.late", path + "/configuration-1-0")
            #expect(try await new.readNewest().content == WitnessVolumeTests.content(4))
            try await new.write(WitnessVolumeTests.content(5))
            let files = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
            #expect(files == ["configuration-2-0", "configuration-2-1", "lock", "witness"])
            // The newest copy rots while there is only one of this term: that is never mistaken for a beginning.
            #expect(try await old.exchange(22, for: 11))
            try await old.write(WitnessVolumeTests.content(6))
            try Data([1]).write(to: URL(fileURLWithPath: path + "/configuration-3-0"))
            let reading = try await old.readNewest()
            #expect(reading.content == WitnessVolumeTests.content(5) && reading.mayBeStale)
            // A lost lock brings no term back.
            try FileManager.default.removeItem(atPath: path + "/lock")
            #expect(try await new.exchange(nil, for: 22))
            #expect(try await new.holder().term == 4)
            try await FileShareWitness.clear(path, cluster: cluster)
            #expect(try FileManager.default.contentsOfDirectory(atPath: path) == [])
        }
    }
}
