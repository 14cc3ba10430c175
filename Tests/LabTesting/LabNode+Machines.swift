import ClusterModel
import Foundation
import Lab

extension LabNode {
    /// The QEMU processes of a machine on this node.
    public func processes(of machine: UUID) -> [Int32] {
        member.processes(named: "qemu-system-x86_64").filter { process in
            let arguments = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") ?? Data()
            return String(decoding: arguments, as: UTF8.self).contains(machine.uuidString.lowercased())
        }
    }

    /// Where the node service keeps the sockets and logs of a machine's QEMU.
    public func folder(of machine: VMName) -> String { runtimeFolder + "/machines/\(machine)" }

    /// Makes the next migration that leaves this node wait in a phase, until the answer is released.
    public func hold(_ phase: String) throws -> HeldPhase {
        let folder = runtimeFolder + "/hold"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let file = folder + "/" + phase
        guard FileManager.default.createFile(atPath: file, contents: nil) else { throw Unexpected("\(file) cannot be made.") }
        return HeldPhase(file: file)
    }
}

/// A phase in which migrations wait.
public struct HeldPhase: Sendable {
    let file: String
    public func release() throws {
        if FileManager.default.fileExists(atPath: file) { try FileManager.default.removeItem(atPath: file) }
    }
}
