import ClusterModel
import Foundation
import Glibc
import Testing

@testable import QEMU

@Suite("The process of a machine", .serialized, .timeLimit(.minutes(2)))
struct MachineProcessTests {
    @Test("It runs as the machine user, without a way to more, and without our descriptors")
    func confinement() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        // What a careless fork would pass on.
        let leak = open("/etc/hostname", O_RDONLY)
        defer { close(leak) }
        try await bed.withMachine { process in
            let status = try String(contentsOfFile: "/proc/\(process.processID)/status", encoding: .utf8)
            let fields = Dictionary(
                status.split(separator: "\n").map { line in
                    let parts = line.split(separator: ":", maxSplits: 1)
                    return (String(parts[0]), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
                }, uniquingKeysWith: { first, _ in first })
            let user = "\(bed.user.userID)"
            #expect(fields["Uid"]?.split(separator: "\t").allSatisfy { $0 == user } == true)
            #expect(fields["Gid"]?.split(separator: "\t").allSatisfy { $0 == "\(bed.user.groupID)" } == true)
            #expect(fields["Seccomp"] == "2", "no system call filter")
            #expect(fields["NoNewPrivs"] == "1")
            for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] { #expect(fields[set] == "0000000000000000", "\(set)") }
            #expect(fields["SigIgn"] != fields["SigBlk"] || fields["SigBlk"] == "0000000000000000")
            #expect(fields["PPid"] != "\(getpid())", "it would die or become a zombie with us")
            let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.processID)/fd")
            let targets = descriptors.compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process.processID)/fd/\($0)")
            }
            #expect(!targets.contains("/etc/hostname"))
            #expect(targets.contains(process.folder.log))
            // It may make sockets in its folder, but not replace what the node service wrote.
            let record = try FileManager.default.attributesOfItem(atPath: process.folder.processRecord)
            #expect(record[.ownerAccountID] as? Int == 0)
            let folder = try FileManager.default.attributesOfItem(atPath: process.folder.path)
            #expect(folder[.ownerAccountID] as? Int == 0 && folder[.posixPermissions] as? Int == 0o1770)
            let socket = try FileManager.default.attributesOfItem(atPath: process.folder.controlSocket)
            #expect((socket[.posixPermissions] as? Int).map { $0 & 0o077 } == 0, "others can reach the monitor")
        }
    }

    @Test("It is ready, paused, and has heard from the right definition")
    func ready() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        try await bed.withMachine { process in
            for socket in [process.folder.controlSocket, process.folder.eventSocket] {
                let monitor = try TestMonitor(socket)
                let status = try #require(try monitor.execute("query-status") as? [String: Any])
                #expect(status["running"] as? Bool == false && status["status"] as? String == "prelaunch")
                #expect((try monitor.execute("query-uuid") as? [String: Any])?["UUID"] as? String == Sample.id.uuidString.lowercased())
            }
        }
    }

    @Test("It is adopted by its record, and only while it is the one that wrote it")
    func adoption() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let folder = bed.machineFolder("web1")
        #expect(MachineProcess.adopt(folder: folder, machine: Sample.id) == nil)
        try await bed.withMachine { process in
            let adopted = try #require(MachineProcess.adopt(folder: folder, machine: Sample.id))
            #expect(adopted.processID == process.processID)
            #expect(MachineProcess.adopt(folder: folder, machine: UUID()) == nil, "another machine's process")
            // A second start must not sweep the folder away from under it.
            let commandLine = try Sample.commandLine(Sample.definition(disks: 0))
            await #expect(throws: MachineProcessError.alreadyRunning(folder: folder.path, processID: process.processID)) {
                try await MachineProcess.start(commandLine, folder: folder, user: bed.user)
            }
            // Whoever adopted it hears of its end and can end it.
            let waiting = Task { await adopted.waitForEnd() }
            #expect(await process.hasEnded(within: .milliseconds(50)) == false)
            try await adopted.kill()
            await waiting.value
            #expect(process.hasEnded)
            #expect(await process.hasEnded(within: .seconds(5)))
        }
        #expect(MachineProcess.adopt(folder: folder, machine: Sample.id) == nil)
        try folder.remove()
        #expect(!FileManager.default.fileExists(atPath: folder.path))
    }

    @Test("A process that got a recycled number is never taken for the machine")
    func recycledNumber() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let folder = bed.machineFolder("web1")
        try await bed.withMachine { process in
            let record = try String(contentsOfFile: folder.processRecord, encoding: .utf8)
            let identity = try #require(ProcessIdentity(record: record))
            func adopted(with text: String) throws -> MachineProcess? {
                try text.write(toFile: folder.processRecord, atomically: false, encoding: .utf8)
                return MachineProcess.adopt(folder: folder, machine: Sample.id)
            }
            // Same number, other start: the number was given away since.
            #expect(try adopted(with: "\(identity.processID) \(identity.startTicks - 1)\n") == nil)
            // Same number and start, but a process that is no machine: this one.
            let own = try #require(ProcessIdentity.current(getpid()))
            #expect(try adopted(with: "\(own.processID) \(own.startTicks)\n") == nil)
            for text in [
                "", "\n", "0 0\n", "1 1\n", "-1 5\n", "\(identity.processID)\n", "a b\n", "99999999999999 1\n", "2 -3\n", record + record,
            ] {
                #expect(try adopted(with: text) == nil, "\(text)")
            }
            #expect(try adopted(with: record) != nil)
        }
    }

    @Test("A QEMU that refuses to start is quoted", arguments: [("enforce", true), ("disk", false)])
    func refusal(what: String, isProcessor: Bool) async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        var definition = Sample.definition(disks: isProcessor ? 0 : 1)
        if isProcessor { definition.cpuModel = "EPYC-Milan" }
        let folder = bed.machineFolder("web1")
        let settings = Sample.settings(for: definition, folder: folder.path) { _ in .nbd(socket: "/nowhere.sock", export: "x") }
        let commandLine = try QEMUCommandLine(Sample.machine(definition), on: settings)
        let error = await #expect(throws: MachineProcessError.self) {
            try await MachineProcess.start(commandLine, folder: folder, user: bed.user)
        }
        let message = try #require(error).description
        #expect(message.hasPrefix("/usr/bin/qemu-system-x86_64 refused to start: "), "\(message)")
        #expect(message.contains(isProcessor ? "refused to start: TCG doesn't support requested features" : "/nowhere.sock"), "\(message)")
        #expect(MachineProcess.adopt(folder: folder, machine: Sample.id) == nil)
        // The next attempt is not held up by what is left.
        try await bed.withMachine { _ in }
    }

    @Test("A program that is not there, and one that never gets ready, leave nothing running")
    func noProgram() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let folder = bed.machineFolder("web1")
        let commandLine = try QEMUCommandLine(
            Sample.machine(Sample.definition(disks: 0)), on: Sample.settings(for: Sample.definition(disks: 0), folder: folder.path))
        await #expect(throws: MachineProcessError.spawn(program: "/usr/bin/no-such-qemu", stage: "running the program", errno: ENOENT)) {
            try await MachineProcess.start(commandLine, folder: folder, user: bed.user, program: "/usr/bin/no-such-qemu")
        }
        let silent = QEMUCommandLine.plain(["60"])
        let error = await #expect(throws: MachineProcessError.self) {
            try await MachineProcess.start(silent, folder: folder, user: bed.user, program: "/bin/sleep", deadline: .milliseconds(300))
        }
        #expect(error == .notReady(program: "/bin/sleep", seconds: 0.3, words: ""))
        let identity = try #require(ProcessIdentity(record: try String(contentsOfFile: folder.processRecord, encoding: .utf8)))
        #expect(ProcessIdentity.current(identity.processID) != identity)
        #expect(throws: MachineProcessError.noSuchUser("apus-nobody")) { try MachineUser(named: "apus-nobody") }
        #expect(throws: MachineProcessError.privilegedUser("root")) { try MachineUser(named: "root") }
    }

    @Test("A secret reaches QEMU by a file that is gone afterwards, and is on no command line", arguments: [true, false])
    func secrets(succeeds: Bool) async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let folder = bed.machineFolder("web1")
        let definition = Sample.definition(disks: 0)
        var commandLine = try QEMUCommandLine(Sample.machine(definition), on: Sample.settings(for: definition, folder: folder.path))
        // QEMU reads the file when it makes the object, and refuses to start if it cannot.
        commandLine.arguments += ["-object", #"{"qom-type":"secret","id":"chap","file":"\#(folder.file("chap"))"}"#]
        if !succeeds { commandLine.arguments += ["-device", "no-such-device"] }
        commandLine.secrets = ["chap": "very-secret-word"]
        do throws(MachineProcessError) {
            let process = try await MachineProcess.start(commandLine, folder: folder, user: bed.user)
            #expect(succeeds)
            let shown = ProcessIdentity.arguments(of: process.processID)
            #expect(shown.contains { $0.contains("chap") } && !shown.contains { $0.contains("very-secret-word") })
            let environment = try? String(contentsOfFile: "/proc/\(process.processID)/environ", encoding: .utf8)
            #expect(environment?.split(separator: "\0").map { $0.prefix { $0 != "=" } }.sorted() == ["HOME", "LC_ALL", "PATH"])
            try await process.kill()
        } catch {
            #expect(!succeeds, "\(error)")
            #expect(error.description.contains("no-such-device"), "\(error)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder.file("chap")))
        // Without the file it would not have started: the secret was really read.
        commandLine.secrets = [:]
        await #expect(throws: MachineProcessError.self) { try await MachineProcess.start(commandLine, folder: folder, user: bed.user) }
    }

    /// A symptom once seen: one start in some dozens hung between fork and execve, while other threads were being made, because the
    /// child called functions of the C library that take locks.
    @Test("Starting is not disturbed by what other threads do")
    func startsWhileThreadsComeAndGo() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let commandLine = QEMUCommandLine.plain(["0"])
        let noise = Task.detached { while !Task.isCancelled { await onOwnThread("noise") { () throws(Never) in } } }
        let clock = ContinuousClock()
        for round in 0..<100 {
            let start = clock.now
            // A program that ends at once: started, and found to have ended, which takes milliseconds unless the start hangs.
            let error = await #expect(throws: MachineProcessError.self) {
                try await MachineProcess.start(commandLine, folder: bed.machineFolder("round"), user: bed.user, program: "/bin/sleep")
            }
            try #require(error == .endedAtStart(program: "/bin/sleep", words: ""), "round \(round) after \(clock.now - start)")
        }
        noise.cancel()
        await noise.value
    }

    @Test("Waiting for the end can be given up")
    func cancelledWait() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        try await bed.withMachine { process in
            let waiting = Task { await process.waitForEnd() }
            waiting.cancel()
            await waiting.value
            #expect(!process.hasEnded)
            // Cancelled before it begins: the same.
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await process.waitForEnd()
            }
            await late.value
            #expect(!process.hasEnded)
        }
    }

    @Test("The serial log keeps its end, and a link in its place is not followed")
    func serialLog() async throws {
        let bed = try await TestBed()
        defer { bed.close() }
        let folder = MachineFolder(path: bed.folder)
        #expect(try folder.shortenSerialLog(beyond: 10, keeping: 5) == false)
        try "0123456789abcdef".write(toFile: folder.serialLog, atomically: false, encoding: .utf8)
        #expect(try folder.shortenSerialLog(beyond: 16, keeping: 4) == false)
        #expect(try folder.shortenSerialLog(beyond: 15, keeping: 4))
        #expect(MachineFolder.tail(of: folder.serialLog) == "cdef")
        try FileManager.default.removeItem(atPath: folder.serialLog)
        try FileManager.default.createSymbolicLink(atPath: folder.serialLog, withDestinationPath: "/etc/shadow")
        #expect(MachineFolder.tail(of: folder.serialLog) == nil)
        #expect(throws: MachineProcessError.self) { try folder.shortenSerialLog(beyond: 1, keeping: 1) }
    }
}
