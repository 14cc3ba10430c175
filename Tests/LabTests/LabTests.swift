import ClusterModel
import Foundation
import Lab
import LabTesting
import Subprocess
import Testing

/// Real namespaces, a real SAN. One at a time, so that a measurement is not disturbed by the test beside it.
@Suite(.serialized, .enabled(if: geteuid() == 0, "The lab needs root."))
struct LabTests {
    @Test("Two labs come up at the same time, do not see each other, and leave nothing", .timeLimit(.minutes(2)))
    func twoLabs() async throws {
        let prefixes = ["lta", "ltb"]
        let tools = try LabTools.find()
        for prefix in prefixes { try await LabBuilder.down(prefix: prefix) }
        async let first = LabBuilder(LabDescription(prefix: "lta"), tools: tools, nodes: .bare).up()
        async let second = LabBuilder(LabDescription(prefix: "ltb"), tools: tools, nodes: .bare).up()
        let labs = try await [first, second]

        for lab in labs {
            let status = try await lab.status()
            #expect(status.sanIsRunning)
            #expect(status.nodes.map(\.isRunning) == [true, true])
            #expect(status.disks.map(\.serial) == ["APUSLAB00000001", "APUSLAB00000002", "APUSLAB00000003"])
            // Every network reaches every other end.
            let n1 = try lab.node("n1")
            for address in ["10.71.0.2", "10.72.0.2", "10.73.0.2", "10.72.0.254"] {
                #expect(
                    try await n1.exec(["busybox", "ping", "-c", "1", "-W", "2", address]).isSuccess, "\(lab.description.prefix) \(address)")
            }
            // Networks are apart: the SAN is not on the cluster network.
            #expect(try await n1.exec(["ip", "route", "get", "10.72.0.254"]).output.contains("dev storage0"))
        }
        #expect(labs[0].sanCredentials.secret != labs[1].sanCredentials.secret)
        #expect(labs[0].sanTarget != labs[1].sanTarget)

        // Each SAN has its own files, its own initiators, and the same addresses.
        let open = try await labs[0].san.exec(["tgtadm", "--lld", "iscsi", "--mode", "target", "--op", "show"]).output
        #expect(open.contains("/var/lib/apus-lab/lta/lun1.img"))
        #expect(!open.contains("/ltb/"))
        #expect(open.contains("iqn.2025-01.io.apus.lab:n2"))

        // The end of one is nothing to the other.
        let namespaces = Traces.networkNamespaces(prefix: "lta")
        #expect(namespaces.count == 5)
        #expect(try await LabBuilder.down(prefix: "lta"))
        let left = Traces(prefix: "lta", networkNamespaces: namespaces)
        #expect(left.found.isEmpty, "\(left)")
        #expect(try await labs[1].node("n1").exec(["busybox", "ping", "-c", "1", "-W", "2", "10.72.0.254"]).isSuccess)
        await #expect(throws: LabError.self) { try await Lab.open(prefix: "lta") }

        #expect(try await LabBuilder.down(prefix: "ltb"))
        let leftOfSecond = Traces(prefix: "ltb")
        #expect(leftOfSecond.found.isEmpty, "\(leftOfSecond)")
        // And again: nothing to do is no error.
        #expect(try await LabBuilder.down(prefix: "ltb") == false)
    }

    @Test("A second lab with the same prefix is refused, and the first is untouched", .timeLimit(.minutes(1)))
    func samePrefix() async throws {
        let description = try LabDescription(prefix: "lts", nodeCount: 1)
        try await withLab(description) { lab in
            let error = await #expect(throws: LabError.self) {
                try await LabBuilder(description, tools: lab.tools, nodes: .bare).up()
            }
            #expect(error?.description.contains("apus lab down --prefix lts") == true)
            let isRunning = try await lab.status().nodes.map(\.isRunning)
            #expect(isRunning == [true])
        }
    }

    @Test("A lab for a process that is gone is taken down; one that somebody keeps stays, whatever its name", .timeLimit(.minutes(1)))
    func orphans() async throws {
        // Six letters, the first of them a test's: a name that a user may give as well.
        try await withLab(try LabDescription(prefix: "cltest", nodeCount: 1)) { kept in
            try await LabBuilder.down(prefix: "lto")
            // No process has this number (proc(5), pid_max).
            let description = try LabDescription(prefix: "lto", nodeCount: 1, owner: .max)
            _ = try await LabBuilder(description, tools: kept.tools, nodes: .bare).up()
            try await LabBuilder.takeDownOrphans()
            #expect(Traces(prefix: "lto").found.isEmpty)
            #expect(try await kept.status().nodes.map(\.isRunning) == [true])
        }
    }

    @Test("A build that is cancelled half-way cleans up after itself", .timeLimit(.minutes(1)), arguments: [50, 150, 300])
    func cancelled(milliseconds: Int) async throws {
        let tools = try LabTools.find()
        try await LabBuilder.down(prefix: "ltc")
        let description = try LabDescription(prefix: "ltc", nodeCount: 16)
        let build = Task { try await LabBuilder(description, tools: tools, nodes: .bare).up() }
        try await Task.sleep(for: .milliseconds(milliseconds))
        build.cancel()
        await #expect(throws: LabError.self) { try await build.value }
        let left = Traces(prefix: "ltc")
        #expect(left.found.isEmpty, "\(left)")
        try await LabBuilder.down(prefix: "ltc")
    }

    /// The `apus` program beside this one, if it knows `lab`.
    private static let program: String? = {
        guard let beside = try? LabTools.find().apusd else { return nil }
        let path = (beside as NSString).deletingLastPathComponent + "/apus"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["lab", "down", "--prefix", "ltk", "--json"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        process.waitUntilExit()
        return process.terminationStatus == 0 && Traces(prefix: "ltk").found.isEmpty ? path : nil
    }()

    @Test(
        "Whoever builds a lab may be killed at any time: down leaves nothing",
        .enabled(if: program != nil, "The program apus has no lab commands."), .timeLimit(.minutes(2)),
        arguments: [10, 30, 60, 100, 150, 200, 300, 400, 600, 900])
    func killedBuilder(milliseconds: Int) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.program))
        process.arguments = ["lab", "up", "--prefix", "ltk", "--nodes", "4", "--bare"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        try await Task.sleep(for: .milliseconds(milliseconds))
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let namespaces = Traces.networkNamespaces(prefix: "ltk")
        try await LabBuilder.down(prefix: "ltk")
        // What the builder had just started looks for its control group, and ends when there is none.
        let isClean = try await eventually(within: 10) { Traces(prefix: "ltk", networkNamespaces: namespaces).found.isEmpty }
        #expect(isClean, "\(Traces(prefix: "ltk", networkNamespaces: namespaces))")
    }

    @Test("The migration network keeps to its limit", .timeLimit(.minutes(1)), arguments: ["1Gbit", "200Mbit"])
    func limit(rate: String) async throws {
        let limit = try #require(BitRate(rate))
        try await withLab(try LabDescription(prefix: "ltl", migrationLimit: limit)) { lab in
            // Both ways, and nowhere else.
            for (sender, receiver) in [("n1", "n2"), ("n2", "n1")] {
                var measured: [Double] = []
                // On a busy machine a stream may fall short of the link; it must never exceed it.
                repeat {
                    measured.append(try await Self.bitsPerSecond(lab, from: sender, to: receiver))
                } while (measured.last ?? 0) < 0.9 * Double(limit.bitsPerSecond) && measured.count < 3
                #expect((measured.max() ?? 0) > 0.9 * Double(limit.bitsPerSecond), "\(sender): \(measured)")
                #expect((measured.max() ?? 0) < 1.1 * Double(limit.bitsPerSecond), "\(sender): \(measured)")
            }
            let cluster = try await Self.bitsPerSecond(lab, from: "n1", to: "n2", on: .cluster)
            #expect(cluster > 1.5 * Double(limit.bitsPerSecond), "\(cluster)")
            try await lab.limit(to: nil)
            let free = try await Self.bitsPerSecond(lab, from: "n1", to: "n2")
            #expect(free > 1.5 * Double(limit.bitsPerSecond), "\(free)")
        }
    }

    private static func bitsPerSecond(
        _ lab: Lab, from sender: String, to receiver: String, on network: LabNetwork = .migration
    ) async throws -> Double {
        struct Measured: Decodable { var bitsPerSecond: Double }
        let address = try #require(try lab.node(receiver).address(on: network))
        let sink = try lab.node(receiver).start([lab.tools.client, "sink"], seconds: 30)
        let isListening = try await eventually(within: 20) {
            try await lab.node(receiver).exec(["ss", "-Hltn", "sport", "=", ":5001"]).output.contains("5001")
        }
        try #require(isListening)
        let stream = try await lab.node(sender).exec([lab.tools.client, "stream", address, "--seconds", "2.5"])
        #expect(stream.isSuccess, "\(stream.errors)")
        let output = try await sink.result().output.split(separator: "\n").last ?? ""
        return try JSONDecoder().decode(Measured.self, from: Data(output.utf8)).bitsPerSecond
    }
}
