import ClusterAPI
import ClusterModel
import Foundation
import NodeServer
import Testing

@Suite("The apus command", .serialized, .timeLimit(.minutes(1)))
struct CommandLineTests {
    @Test(
        "Commands that ask one thing print it for people, and as JSON",
        arguments: [
            ("node list", ["n1", "coordinator", "no answer", "n2: No answer within 2 s."]),
            ("disk list", ["naa.6001405abcdef", "volume csv1", "9 GiB"]),
            ("disk list --extents", ["web/root", "1 GiB"]),
            ("disk init naa.6001405abcdef --label csv1 --force", ["is now the volume csv1"]),
            ("vm list", ["web", "running", "n1", "512 MiB"]),
            ("vm show web", ["52:54:00:12:34:56 on br0", "kernel /boot/vmlinuz", "Disk root"]),
            ("vm start web", ["web is running on n1."]),
            ("vm stop web --force", ["web is running."]),
            ("vm delete web --yes", ["web was deleted."]),
            ("migration list", ["completed", "2.35 s", "600 MiB"]),
            ("vm migrate web --to n2 --detach", ["is being moved to n2"]),
            ("vm migrate web --cancel", ["The migration was cancelled; web runs on n1."]),
        ])
    func questions(line: String, texts: [String]) async throws {
        try await RunningServer.with { server in
            let arguments = line.split(separator: " ").map(String.init)
            let people = await CommandRun.apus(arguments, socket: server.socketPath)
            #expect(people.status == 0, "\(people.errors)")
            #expect(people.errors.isEmpty)
            for text in texts { #expect(people.output.contains(text), "\(people.output)") }
            let json = await CommandRun.apus(arguments + ["--json"], socket: server.socketPath)
            #expect(json.status == 0, "\(json.errors)")
            let value = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
            #expect(value is [Any] || value is [String: Any])
        }
    }

    @Test(
        "A wrong command line ends with 2 and says how it is right",
        arguments: [
            ("vm migrate web", "--to NODE"), ("vm migrate Web --to n2", "lower-case"), ("vm migrate web --to n2 --max-blackout 3", "300ms"),
            ("vm migrate web --to n2 --quick --post-copy", "--quick"), ("vm migrate web --cancel --to n2", "--cancel"), ("vm", "USAGE"),
            ("vm fly", "fly"), ("node list --socket /x --node n1", "not both"), ("disk init x", "--label"), ("completion tcsh", "tcsh"),
            ("node list --node n1:x", "10.71.0.2:7060"),
        ])
    func usage(line: String, text: String) async throws {
        let run = await CommandRun.apus(line.split(separator: " ").map(String.init), socket: "/tmp/apus-api-none")
        if line == "vm" {
            // A group without a command shows its help.
            #expect(run.status == 0)
            #expect(run.output.contains(text))
        } else {
            #expect(run.status == 2, "\(run.errors)")
            #expect(run.errors.hasPrefix("apus: ") && run.errors.contains(text), "\(run.errors)")
            #expect(run.output.isEmpty)
        }
    }

    @Test("Errors go to standard error with the node that says so, and end with 1")
    func errors() async throws {
        try await RunningServer.with { server in
            await server.node.fail(with: Samples.error)
            for line in ["vm list", "vm start web", "vm migrate web --to n2", "vm list --json"] {
                let run = await CommandRun.apus(line.split(separator: " ").map(String.init), socket: server.socketPath)
                #expect(run.status == 1)
                #expect(run.errors == "apus: n1: web already runs on n2.\n")
                #expect(run.output.isEmpty)
            }
        }
        let run = await CommandRun.apus(["vm", "list"], socket: "/tmp/apus-api-none")
        #expect(run.status == 1)
        #expect(run.errors.contains("systemctl status apusd"))
    }

    @Test("A migration is followed to its end; the cost is printed")
    func migrate() async throws {
        try await RunningServer.with { server in
            async let run = CommandRun.apus(
                [
                    "vm", "migrate", "web", "--to", "n2", "--max-blackout", "250ms", "--bandwidth", "1Gbit", "--post-copy",
                    "--no-auto-converge",
                ],
                socket: server.socketPath)
            #expect(await server.node.waitForFollowers(1))
            await server.node.finishStreams()
            let (status, output, errors) = await run
            #expect(status == 0)
            #expect(output.contains("Visible gap       52 ms"), "\(output)")
            #expect(errors.contains("pass 2, 256 MiB left at 100 MiB/s"), "\(errors)")
            #expect(errors.contains("The guest is slowed down."))
            #expect(await server.node.received([Samples.order, Samples.id]))
        }
    }

    @Test("A migration that fails ends with 1 and the reason")
    func failedMigration() async throws {
        var ended = Samples.endedMigration
        ended.record?.outcome = .failed
        ended.record?.message = "n2 went away; web runs on n1."
        let last = ended
        try await RunningServer.with { server in
            async let run = CommandRun.apus(["vm", "migrate", "web", "--to", "n2", "--json"], socket: server.socketPath)
            #expect(await server.node.waitForFollowers(1))
            await server.node.finishStreams(with: last)
            let (status, output, errors) = await run
            #expect(status == 1)
            #expect(errors == "apus: n2 went away; web runs on n1.\n")
            let printed = try APICoding.decoder.decode(MigrationStatus.self, from: Data(output.utf8))
            #expect(printed == last)
        }
    }

    @Test("Ctrl-C cancels the migration and waits for its end")
    func interrupt() async throws {
        try await RunningServer.with { server in
            let run = await CommandRun.apus(
                ["vm", "migrate", "web", "--to", "n2"], socket: server.socketPath, interruptAfter: "pass 2")
            #expect(run.status == 1)
            #expect(run.errors.contains("Cancelling the migration"), "\(run.errors)")
            #expect(run.errors.hasSuffix("apus: The migration was cancelled; web runs on n1.\n"), "\(run.errors)")
            #expect(await server.node.asked.last == "cancelMigration(of:)")
        }
    }

    @Test("A node service that goes away for a moment does not end the command")
    func restart() async throws {
        let folder = try RunningServer.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let keep = folder + "/keep"
        try FileManager.default.createDirectory(atPath: keep, withIntermediateDirectories: false)
        let run = Task {
            while !FileManager.default.fileExists(atPath: keep + "/apusd.sock") { try? await Task.sleep(for: .milliseconds(10)) }
            return await CommandRun.apus(["vm", "migrate", "web", "--to", "n2"], socket: keep + "/apusd.sock")
        }
        try await RunningServer.with(in: keep) { server in
            let hasFollower = await server.node.waitForFollowers(1)
            #expect(hasFollower)
        }
        try FileManager.default.createDirectory(atPath: keep, withIntermediateDirectories: false)
        try await RunningServer.with(in: keep) { server in
            #expect(await server.node.waitForFollowers(1))
            await server.node.finishStreams()
            let (status, output, errors) = await run.value
            #expect(status == 0, "\(errors)")
            #expect(output.contains("completed"))
        }
    }

    @Test("A plan that is refused or would not converge ends with 1")
    func plan() async throws {
        try await RunningServer.with { server in
            let run = await CommandRun.apus(["vm", "migrate", "web", "--to", "n2", "--plan"], socket: server.socketPath)
            #expect(run.status == 1)
            #expect(run.errors.isEmpty)
            for text in ["about 900 ms", "It would be refused:", "n2 has no bridge br0."] { #expect(run.output.contains(text)) }
            #expect(await server.node.asked == ["planMigration(_:)"])
        }
    }

    @Test("A definition is read from a file or from standard input; problems name their line")
    func create() async throws {
        try await RunningServer.with { server in
            let definition = "name: web\nmemory: 512 MiB\ndisks:\n  - name: root\n    size: 1 GiB\n"
            let file = server.folder + "/web.yaml"
            try Data(definition.utf8).write(to: URL(fileURLWithPath: file))
            let fromFile = await CommandRun.apus(
                ["vm", "create", file, "--volume", "csv1", "--image", "/srv/a.raw"], socket: server.socketPath)
            #expect(fromFile.status == 0, "\(fromFile.errors)")
            #expect(fromFile.output.contains("apus vm start web"))
            let fromInput = await CommandRun.apus(["vm", "create", "-"], socket: server.socketPath, input: definition)
            #expect(fromInput.status == 0, "\(fromInput.errors)")
            let wrong = await CommandRun.apus(["vm", "create", "-"], socket: server.socketPath, input: "name: web\nmemory: much\n")
            #expect(wrong.status == 1)
            #expect(wrong.errors.contains("standard input:2"), "\(wrong.errors)")
            let missing = await CommandRun.apus(["vm", "create", "/tmp/apus-api-none.yaml"], socket: server.socketPath)
            #expect(missing.errors == "apus: /tmp/apus-api-none.yaml cannot be read: there is no such file.\n")
            let endless = await CommandRun.apus(["vm", "create", "/dev/zero"], socket: server.socketPath)
            #expect(endless.status == 1)
            #expect(await server.node.asked.count == 2)
        }
    }

    @Test("Completion scripts are valid, and complete names from the node service", arguments: ["bash", "zsh", "fish"])
    func completion(shell: String) async throws {
        let run = await CommandRun.apus(["completion", shell], socket: "/tmp/apus-api-none")
        #expect(run.status == 0)
        #expect(run.output.contains("migrate"))
        if shell == "bash" {
            let check = await CommandRun.run("/bin/bash", ["-n"], input: run.output)
            #expect(check.status == 0, "\(check.text)")
            try await RunningServer.with { server in
                let script =
                    run.output + "\nCOMP_WORDS=(apus vm start ''); COMP_CWORD=3; COMP_LINE='apus vm start '; COMP_POINT=14; "
                    + "_apus; echo \"found: ${COMPREPLY[*]}\"\n"
                let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
                let path = URL(fileURLWithPath: tests).deletingLastPathComponent().path + ":/usr/bin:/bin"
                let completed = await CommandRun.run(
                    "/bin/bash", [], environment: ["APUS_SOCKET": server.socketPath, "PATH": path], input: script)
                #expect(completed.text.contains("found: web"), "\(completed.text)")
            }
        }
    }

    @Test("Every command has help with an example")
    func help() async throws {
        let commands = [
            "", "vm", "vm list", "vm show", "vm create", "vm start", "vm stop", "vm delete", "vm migrate", "migration", "migration list",
            "node",
            "node list", "disk", "disk list", "disk init", "completion", "version",
        ]
        for command in commands {
            let run = await CommandRun.apus(command.split(separator: " ").map(String.init) + ["--help"], socket: "")
            #expect(run.status == 0)
            #expect(run.output.contains("EXAMPLE") && run.output.contains("  apus "), "\(command)")
        }
    }
}
