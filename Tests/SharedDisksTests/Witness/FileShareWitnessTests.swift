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
            #expect(files == ["configuration-0", "configuration-1", "witness"])

            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path + "/configuration-1"))
            let other = try await witness.readNewest()
            #expect(other.content == WitnessVolumeTests.content(3) && other.mayBeStale)
            try FileManager.default.removeItem(atPath: path + "/configuration-0")
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

    @Test("The lock has one holder, names it, and is free when the holder lets go")
    func lock() async throws {
        try await inFolder { path in
            let witness = try await FileShareWitness.initialize(path, cluster: UUID(), clusterName: "lab")
            let (one, two) = (try #require(NodeID(rawValue: 1)), try #require(NodeID(rawValue: 2)))
            #expect(try await witness.lockHolder() == nil)
            var lock = try await witness.tryLock(as: one)
            #expect(lock != nil)
            #expect(try await witness.tryLock(as: two) == nil)
            #expect(try await witness.lockHolder() == one)
            lock = nil
            #expect(try await witness.lockHolder() == nil)
            lock = try await witness.tryLock(as: two)
            #expect(try await witness.lockHolder() == two)
            #expect(lock != nil)
        }
    }
}
