public import ClusterModel
import Foundation
import Glibc

/// Finds out how guests run fast on this node, by starting one: that /dev/kvm opens proves nothing.
public enum AccelerationProbe {
    /// What was found, and the sentence that says why.
    public struct Finding: Hashable, Sendable, Codable {
        public var acceleration: Acceleration
        public var evidence: String
        public init(_ acceleration: Acceleration, _ evidence: String) {
            self.acceleration = acceleration
            self.evidence = evidence
        }
    }

    /// Runs ``ProbeGuest`` with KVM.
    ///
    /// - Parameters:
    ///   - user: Whom machines run as; nil runs the probe as the caller.
    ///   - deadline: A guest that really runs needs a hundredth of the standard 3 s, QEMU's own start included.
    /// - Throws: ``QEMUFactsError`` when QEMU itself cannot be run.
    public static func run(
        program: String = "/usr/bin/qemu-system-x86_64", user: MachineUser?, deadline: Duration = .seconds(3)
    ) async throws(QEMUFactsError) -> Finding {
        guard access("/dev/kvm", F_OK) == 0 else {
            return Finding(.tcg, "This node has no /dev/kvm: TCG is used. Load kvm_intel or kvm_amd if its processors can virtualise.")
        }
        if let user, !user.canReadAndWrite("/dev/kvm") {
            return Finding(
                .tcg,
                "\(user.name), the user QEMU runs as, may not open /dev/kvm: TCG is used. "
                    + "Add it to the group kvm (usermod -aG kvm \(user.name)) and restart the node service.")
        }
        let run = try await execute("kvm", program: program, user: user, deadline: deadline)
        if run.exitCode == ProbeGuest.successCode { return Finding(.kvm, "A guest ran with KVM and its result was right.") }
        if run.wasKilled {
            return Finding(
                .tcg,
                "/dev/kvm opens, but a guest did not finish its work within \(deadline / .seconds(1)) s, "
                    + "where real hardware takes milliseconds: TCG is used.")
        }
        let words = lastWords(in: run.errors, program: program)
        return Finding(.tcg, "/dev/kvm opens, but a guest did not run with it" + (words.isEmpty ? "" : " (\(words))") + ": TCG is used.")
    }

    /// How a guest did with one acceleration.
    public struct Trial: Hashable, Sendable {
        /// It ran, and its result was right.
        public var succeeded: Bool
        /// From QEMU's start to the guest's end.
        public var milliseconds: Double
        /// Why it did not: a clause, or what QEMU said. Empty when it did.
        public var reason: String
    }

    /// Runs ``ProbeGuest`` with the acceleration that machines will use, now and not from a cache.
    ///
    /// - Parameter deadline: TCG needs a second or two on an idle processor.
    /// - Throws: ``QEMUFactsError`` when QEMU itself cannot be run.
    public static func trial(
        of acceleration: Acceleration, program: String = "/usr/bin/qemu-system-x86_64", user: MachineUser?, deadline: Duration
    ) async throws(QEMUFactsError) -> Trial {
        let began = ContinuousClock.now
        let run = try await execute(acceleration.rawValue, program: program, user: user, deadline: deadline)
        let milliseconds = (ContinuousClock.now - began) / .milliseconds(1)
        if run.exitCode == ProbeGuest.successCode { return Trial(succeeded: true, milliseconds: milliseconds, reason: "") }
        let words = lastWords(in: run.errors, program: program)
        let reason =
            run.wasKilled
            ? "it had not finished its work after \(deadline / .seconds(1)) s"
            : words.isEmpty ? "QEMU ended with code \(run.exitCode.map(String.init) ?? "none") and said nothing" : words
        return Trial(succeeded: false, milliseconds: milliseconds, reason: reason)
    }

    /// Runs the probe's guest with one acceleration. Under TCG it shows that the guest itself is right.
    static func execute(
        _ acceleration: String, program: String, user: MachineUser?, deadline: Duration
    ) async throws(QEMUFactsError) -> QEMURun {
        let folder: String
        do { folder = try makeFirmwareFolder() } catch { throw .noProbeFile(reason: "\(error)") }
        defer { removeFirmwareFolder(folder) }
        let arguments = [
            "-nodefaults", "-no-user-config", "-display", "none", "-machine", "pc-i440fx-7.2", "-cpu", "qemu64", "-m", "16M",
            "-accel", acceleration, "-bios", folder + "/probe.bin",
            "-device", "isa-debug-exit,iobase=0x\(String(ProbeGuest.exitPort, radix: 16)),iosize=1",
            "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        ]
        return try await QEMURun.run(program, arguments, input: "", user: user, deadline: deadline)
    }

    /// The machine user must be able to read the image, and the node's own folders are closed to it.
    private static func makeFirmwareFolder() throws(MachineProcessError) -> String {
        removeForgottenFolders()
        var template = Array("/tmp/apus-probe-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw .file(path: "/tmp/apus-probe-XXXXXX", operation: "creating it", errno: errno) }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let file = open(folder + "/probe.bin", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        let image = ProbeGuest.firmware
        guard file >= 0, write(file, image, image.count) == image.count, fchmod(file, 0o644) == 0, chmod(folder, 0o755) == 0 else {
            let error = errno
            if file >= 0 { close(file) }
            removeFirmwareFolder(folder)
            throw .file(path: folder + "/probe.bin", operation: "writing it", errno: error)
        }
        close(file)
        return folder
    }

    /// Longer than any probe may take.
    private static let forgottenAfter = 600

    /// What a service that was killed in a probe left. Anybody may write to this folder, so what is not this user's own is left alone.
    private static func removeForgottenFolders() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? [] where name.hasPrefix("apus-probe-") {
            var facts = stat()
            guard lstat("/tmp/" + name, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR, facts.st_uid == geteuid(),
                time(nil) - facts.st_mtim.tv_sec > forgottenAfter
            else { continue }
            removeFirmwareFolder("/tmp/" + name)
        }
    }

    private static func removeFirmwareFolder(_ folder: String) {
        unlink(folder + "/probe.bin")
        rmdir(folder)
    }
}
