import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing
import Validation

extension LabMember {
    /// Runs shell commands, which must all succeed.
    func script(_ text: String) async throws {
        let result = try await exec(["sh", "-euc", text])
        try #require(result.isSuccess, "\(text)\n\(result.errors)")
    }
}

extension LabNode {
    func script(_ text: String) async throws { try await member.script(text) }
}

extension ValidationStage {
    /// Validates both nodes with these tests.
    func run(_ tests: [String]) async throws -> ValidationRun { try await follow(try await start(tests, disks: [])) }

    /// Waits for the end of a run that was begun.
    ///
    /// - Parameter seen: Is told every status.
    func follow(
        _ first: ValidationStatus, within patience: Duration = .seconds(240), seen: (ValidationStatus) async throws -> Void = { _ in }
    ) async throws -> ValidationRun {
        let client = try client(of: Self.n1)
        let end = ContinuousClock.now + patience
        var isEnded = false
        while !isEnded {
            try #require(ContinuousClock.now < end, "The validation has not ended after \(patience).")
            for try await status in try await client.followValidation(first.id) {
                try await seen(status)
                isEnded = status.isEnded
            }
        }
        return try await client.validationReport(first.id)
    }

    /// Lets a node's service run with another program in the place of one, as that node sees it.
    ///
    /// - Parameter script: `$ORIGINAL` in it is the program that was there.
    func replacing(
        _ program: String, on name: NodeName, with script: String, _ body: () async throws -> Void
    ) async throws {
        let node = try node(name)
        let folder = "/run/replaced"
        let original = folder + "/" + (program as NSString).lastPathComponent
        let text = script.replacing("$ORIGINAL", with: original)
        try await breaking {
            // The original is mounted elsewhere first, because the stand-in hides it.
            let result = try await node.exec([
                "sh", "-euc",
                """
                mkdir -p "$1"; touch "$2"
                mount --bind "$3" "$2"
                printf '%s\\n' "$4" >"$1/stand-in"; chmod 755 "$1/stand-in"
                mount --bind "$1/stand-in" "$3"
                """, "sh", folder, original, program, text,
            ])
            try #require(result.isSuccess, "\(result.errors)")
            try await restart(node)
        } mending: {
            // Whatever of it was done: a mount that is not there is no error.
            _ = try await node.exec(["umount", "--lazy", program])
            try await restart(node)
            _ = try await node.exec(["sh", "-c", "umount --lazy \(original); rm -r \(folder)"])
        } _: {
            try await body()
        }
    }

    /// Ends a node's service; the lab starts it again.
    func restart(_ node: LabNode) async throws {
        let before = Set(node.member.processes(named: "apusd"))
        node.signal(SIGKILL, processesNamed: "apusd")
        let isAnother = try await eventually(within: 60) {
            let now = Set(node.member.processes(named: "apusd"))
            return !now.isEmpty && now.isDisjoint(with: before)
        }
        #expect(isAnother, "apusd of \(node.name) did not come back")
        try await node.waitForService(seconds: 60)
    }

    /// What the probes of a node hold open in its network: ports that listen, and packet sockets.
    func openSockets(of name: NodeName) throws -> Set<String> {
        let process = try #require(try node(name).member.processes.first)
        var sockets: Set<String> = []
        for file in ["tcp", "udp", "packet"] {
            let text = try String(contentsOfFile: "/proc/\(process)/net/\(file)", encoding: .utf8)
            for line in text.split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                // proc(5): the state of a TCP socket that listens is 0A. A packet socket has no name but its protocol and interface.
                if file == "packet", fields.count > 4 {
                    sockets.insert("packet \(fields[3]) \(fields[4])")
                } else if file == "udp" || fields.count > 3 && fields[3] == "0A", fields.count > 1 {
                    sockets.insert("\(file) \(fields[1])")
                }
            }
        }
        return sockets
    }
}
