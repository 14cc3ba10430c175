import ClusterModel
import Foundation
import Lab
import LabTesting
import Testing

/// What a node of the lab is: its own files, its service, its power, its plugs.
@Suite(.serialized, .enabled(if: geteuid() == 0, "The lab needs root."))
struct NodeTests {
    /// Answers HTTP on the API's socket, as far as the lab asks; written in Perl because every Debian system has it.
    private static let standIn = """
        #!/usr/bin/perl
        use IO::Socket::UNIX;
        die "usage" unless "@ARGV" eq "--config /etc/apus/node.yaml" && -r $ARGV[1];
        $| = 1; print "stand-in $$ starts\\n";
        my $path = "/run/apus/apusd.sock"; unlink $path;
        my $server = IO::Socket::UNIX->new(Local => $path, Listen => 8) or die "listen: $!";
        while (my $peer = $server->accept) {
          while (<$peer>) { last if /^\\s*$/ }
          print $peer "HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n";
        }
        """

    private static func withStandIn<Result>(_ text: String = standIn, _ body: (String) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.path + "/apus-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/stand-in"
        _ = FileManager.default.createFile(atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o755])
        return try await body(path)
    }

    @Test("The service is started again when it dies, and after a power cut", .timeLimit(.minutes(2)))
    func power() async throws {
        try await Self.withStandIn { apusd in
            try await withLab(try LabDescription(prefix: "ntp"), apusd: apusd) { lab in
                let node = try lab.node("n1")
                let started = node.member.processes(named: "stand-in")
                #expect(started.count == 1)
                #expect(node.signal(SIGKILL, processesNamed: "stand-in") == 1)
                #expect(try await eventually(within: 20) { !node.member.processes(named: "stand-in").isEmpty })
                try await node.waitForService(seconds: 20)
                #expect(node.member.processes(named: "stand-in") != started)
                let log = try String(contentsOfFile: node.serviceLog, encoding: .utf8)
                #expect(log.contains("apusd ended with code 137"))

                // State stays, what lay in /run is gone; the other node is not touched.
                _ = try await node.exec([
                    "sh", "-c", "echo kept >/var/lib/apus/file; echo lost | tee /run/apus/file >/dev/shm/ntp; sleep 600 >/dev/null 2>&1 &",
                ])
                try await node.powerOff()
                #expect(!node.isRunning)
                #expect(access("/dev/shm/ntp", F_OK) != 0)
                #expect(node.member.processes.isEmpty)
                #expect(try lab.node("n2").isRunning)
                let serviceAnswers = try await lab.status().nodes.map(\.serviceAnswers)
                #expect(serviceAnswers == [false, true])
                await #expect(throws: LabError.self) { try await node.exec(["true"]) }

                try await node.powerOn()
                try await node.waitForService(seconds: 20)
                let kept = try await node.exec(["cat", "/var/lib/apus/file"])
                #expect(kept.output == "kept\n", "\(kept)")
                #expect(try await !node.exec(["cat", "/run/apus/file"]).isSuccess)
                #expect(try await !node.exec(["cat", "/dev/shm/ntp"]).isSuccess)
                let answers = try await eventually(within: 10) {
                    try await node.exec(["busybox", "ping", "-c", "1", "-W", "1", "10.71.0.2"]).isSuccess
                }
                #expect(answers)
                #expect(try String(contentsOfFile: node.serviceLog, encoding: .utf8).hasPrefix(log))
                await #expect(throws: LabError.self) { try await node.powerOn() }
            }
        }
    }

    @Test("A power cut is silent: the peer hears of no end", .timeLimit(.minutes(1)))
    func silence() async throws {
        try await withLab(try LabDescription(prefix: "nts")) { lab in
            let node = try lab.node("n1")
            _ = try await node.exec(["sh", "-c", "busybox nc -ll -p 9 -e sleep 600 >/dev/null 2>&1 </dev/null &"])
            #expect(try await eventually(within: 20) { try await node.exec(["ss", "-Hltn"]).output.contains(":9 ") })
            let peer = try lab.node("n2").start(["sh", "-c", "sleep 20 | busybox nc 10.71.0.1 9"], seconds: 30)
            #expect(try await eventually(within: 20) { try await node.exec(["ss", "-Htn"]).output.contains("ESTAB") })
            try await node.powerOff()
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await lab.node("n2").exec(["ss", "-Htn"]).output.contains("ESTAB"))
            peer.terminate()
            _ = try await peer.result()
        }
    }

    @Test("A plug can be pulled, with and without the node seeing it", .timeLimit(.minutes(1)), arguments: [false, true])
    func cut(isSilent: Bool) async throws {
        try await withLab(try LabDescription(prefix: "ntc")) { lab in
            let node = try lab.node("n1")
            func answers(_ address: String) async throws -> Bool {
                try await node.exec(["busybox", "ping", "-c", "1", "-W", "1", address]).isSuccess
            }
            // One question may be lost on a machine that is busy with other things; a plug that is in answers before long.
            func reaches(_ address: String) async throws -> Bool { try await eventually(within: 10) { try await answers(address) } }
            #expect(try await reaches("10.72.0.254"))
            try await node.cut(.storage, isSilent: isSilent)
            #expect(try await !answers("10.72.0.254"))
            #expect(try await reaches("10.71.0.2"))
            let link = try await node.exec(["cat", "/sys/class/net/storage0/carrier"])
            #expect(link.output == (isSilent ? "1\n" : "0\n"), "\(link)")
            #expect(try await lab.status().nodes[0].cut == [.storage])
            try await node.restore(.storage)
            #expect(try await reaches("10.72.0.254"))
            #expect(try await lab.status().nodes[0].cut.isEmpty)
        }
    }

    @Test("A node has its own files and devices, and the host sees none of it", .timeLimit(.minutes(1)))
    func files() async throws {
        let hadFolder = FileManager.default.fileExists(atPath: "/etc/apus")
        try await withLab(try LabDescription(prefix: "ntf", nodeCount: 3)) { lab in
            let node = try lab.node("n2")
            let yaml = try await node.exec(["cat", "/etc/apus/node.yaml"]).output
            let configuration = try JSONDecoder().decode(NodeConfiguration.self, from: Data(yaml.utf8))
            #expect(configuration.node.rawValue == "n2")
            #expect(configuration.nodes.map(\.cluster) == ["10.71.0.1", "10.71.0.2", "10.71.0.3"])
            #expect(configuration.nodes.map(\.migration) == ["10.73.0.1", "10.73.0.2", "10.73.0.3"])
            #expect(configuration.san?.initiator == "iqn.2025-01.io.apus.lab:n2")
            let secret = try await node.exec(["stat", "-c", "%a %U", try #require(configuration.san?.secretFile)])
            #expect(secret.output == "600 root\n")
            #expect(try await node.exec(["hostname"]).output == "n2\n")
            #expect(try await node.exec(["ls", "/run"]).output == "apus\nlock\n")
            #expect(try await node.exec(["stat", "-c", "%a %t,%T", "/dev/net/tun"]).output == "666 a,c8\n")
            #expect(try await node.exec(["ls", "/sys/class/net"]).output.split(separator: "\n").contains("br0"))
            // Sockets in there must be reachable from outside; a path may have 107 characters (unix(7)).
            #expect(node.apiSocket.utf8.count < 60)
            #expect(FileManager.default.fileExists(atPath: "/etc/apus") == hadFolder)
        }
    }

    @Test("A service that does not come up is reported with its log, and the lab stays for a look", .timeLimit(.minutes(1)))
    func lateService() async throws {
        try await Self.withStandIn("#!/bin/sh\necho 'no disk today' >&2\nexit 3\n") { apusd in
            try await LabBuilder.down(prefix: "ntl")
            var tools = try LabTools.find()
            tools.apusd = apusd
            let builder = LabBuilder(try LabDescription(prefix: "ntl", nodeCount: 1), tools: tools, nodes: .fixed, serviceSeconds: 1)
            let error = await #expect(throws: LabError.self) { try await builder.up() }
            let sentence = try #require(error?.description)
            #expect(sentence.contains("/run/apus-lab/ntl/n1/run/apusd.log"))
            #expect(sentence.contains("no disk today"))
            let isRunning = try await Lab.open(prefix: "ntl").status().nodes.map(\.isRunning)
            #expect(isRunning == [true])
            try await LabBuilder.down(prefix: "ntl")
        }
    }
}
