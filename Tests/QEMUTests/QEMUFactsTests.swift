import ClusterModel
import Foundation
import Testing

@testable import QEMU

@Suite("What QEMU offers", .serialized, .timeLimit(.minutes(2)))
struct QEMUFactsTests {
    @Test("The probe's guest does its work under TCG, as the machine user")
    func guestIsRight() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        // As a service leaves it that is killed in a probe.
        let forgotten = "/tmp/apus-probe-\(UUID())"
        try FileManager.default.createDirectory(atPath: forgotten, withIntermediateDirectories: false)
        try Data([0]).write(to: URL(filePath: forgotten + "/probe.bin"))
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -3_600)], ofItemAtPath: forgotten)
        let before = try Self.folders()
        let run = try await AccelerationProbe.execute("tcg", program: "/usr/bin/qemu-system-x86_64", user: bed.user, deadline: .seconds(20))
        #expect(run.exitCode == ProbeGuest.successCode, "\(run)")
        #expect(ProbeGuest.firmware.count == 65_536)
        let left = try Self.folders()
        #expect(left.isSubset(of: before), "\(left)")
        #expect(!FileManager.default.fileExists(atPath: forgotten))
    }

    private static func folders() throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: "/tmp").filter { $0.hasPrefix("apus-probe-") })
    }

    @Test("A guest that computes wrongly, and one that never ends, are told apart from success")
    func deadline() async throws {
        // A deadline that nothing can keep: the run is killed and says so.
        let clock = ContinuousClock()
        let start = clock.now
        let run = try await AccelerationProbe.execute("tcg", program: "/usr/bin/qemu-system-x86_64", user: nil, deadline: .milliseconds(1))
        #expect(run.wasKilled && run.exitCode == nil)
        #expect(clock.now - start < .seconds(5))
        await #expect(throws: QEMUFactsError.self) {
            try await AccelerationProbe.execute("tcg", program: "/usr/bin/no-such-qemu", user: nil, deadline: .seconds(5))
        }
    }

    @Test("An openable /dev/kvm proves nothing: the finding agrees with what a guest really does")
    func kvm() async throws {
        let finding = try await AccelerationProbe.run(user: nil)
        let real = try await AccelerationProbe.execute("kvm", program: "/usr/bin/qemu-system-x86_64", user: nil, deadline: .seconds(3))
        #expect((finding.acceleration == .kvm) == (real.exitCode == ProbeGuest.successCode), "\(finding) but \(real)")
        #expect(finding.evidence.hasSuffix("."))
        if finding.acceleration == .tcg { #expect(finding.evidence.contains("TCG is used")) }
    }

    @Test("Facts are found once a boot and kept; a broken file is written anew")
    func cache() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let cache = bed.folder + "/qemu-facts.json"
        try "not JSON".write(toFile: cache, atomically: true, encoding: .utf8)
        let facts = try await QEMUFacts.discover(user: bed.user, cache: cache)
        #expect(facts.version.split(separator: ".").count == 3)
        #expect(facts.machineTypes.contains("pc-q35-7.2") && facts.machineTypes.contains("pc-i440fx-7.2"))
        #expect(!facts.machineTypes.contains("q35") && !facts.machineTypes.contains("pc"))
        #expect(facts.cpuModels.contains("Nehalem") && !facts.cpuModels.contains("host") && !facts.cpuModels.contains("max"))
        if facts.acceleration == .tcg { #expect(!facts.cpuModels.contains("EPYC-Milan")) }
        // What is kept is what is told the next time.
        var text = try String(contentsOfFile: cache, encoding: .utf8)
        text = text.replacingOccurrences(of: facts.version, with: "0.0.1")
        try text.write(toFile: cache, atomically: true, encoding: .utf8)
        #expect(try await QEMUFacts.discover(user: bed.user, cache: cache).version == "0.0.1")
        // Another user is another question: it may have other rights to /dev/kvm.
        #expect(try await QEMUFacts.discover(user: nil, cache: cache).version == facts.version)
    }

    @Test(
        "Answers that make no sense are no answers",
        arguments: [
            "", "{}", "[]\n[]", #"{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":22}}}}"#,
            "{\"return\":[],\"id\":\"query-machines\"}", String(repeating: "[", count: 10_000),
        ])
    func hostileAnswers(text: String) {
        #expect(QEMUAnswers(lines: text) == nil)
    }
}
