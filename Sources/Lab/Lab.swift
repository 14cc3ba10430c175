import ClusterModel
import Foundation

/// A lab that is up: the way to its nodes, its SAN and its client.
public struct Lab: Sendable {
    let folder: LabFolder
    let groups: ControlGroups
    let record: LabRecord

    /// Finds a lab that somebody has built.
    ///
    /// - Throws: ``LabError/refused(_:)`` when there is none, or when it was not finished.
    public static func open(prefix: String) async throws(LabError) -> Lab {
        let folder = LabFolder(prefix: try LabDescription(prefix: prefix).prefix)
        let record = try LabRecord.read(folder)
        guard record.isComplete else {
            throw .refused("Lab \(prefix) is half built. End it with `apus lab down --prefix \(prefix)` and start again.")
        }
        return Lab(folder: folder, groups: try await ControlGroups.open(folder: folder), record: record)
    }

    public var description: LabDescription { record.description }
    /// Whether each node runs `apusd`.
    public var startsService: Bool { record.nodes.startsService }
    public var tools: LabTools { record.tools }
    public var nodes: [LabNode] { description.nodes.map { LabNode(lab: self, name: $0) } }
    public var san: LabMember { LabMember(keeper: keeper(.san)) }
    public var client: LabMember { LabMember(keeper: keeper(.client)) }
    /// The namespace that holds the switches, for looking at frames on their way.
    public var switches: LabMember { LabMember(keeper: keeper(.switches)) }

    /// - Parameter name: `n1`, `n2`, ...
    public func node(_ name: String) throws(LabError) -> LabNode {
        guard let node = nodes.first(where: { $0.name.rawValue == name }) else {
            let names = description.nodes.map(\.rawValue).joined(separator: ", ")
            throw .refused("Lab \(folder.prefix) has no node \"\(name)\"; it has \(names).")
        }
        return node
    }

    /// A node, `san`, `client` or `switches`.
    public func member(_ name: String) throws(LabError) -> LabMember {
        switch name {
        case "san": san
        case "client": client
        case "switches": switches
        default: try node(name).member
        }
    }

    /// Limits, or sets free, what every node that runs sends on the migration network; nodes powered on later follow.
    public func limit(to rate: BitRate?) async throws(LabError) {
        var record = try LabRecord.read(folder)
        record.description.migrationLimit = rate
        try record.write(to: folder)
        for node in nodes where node.isRunning { try await networks.limit(node.keeper, to: rate) }
    }

    /// The file behind a disk of the SAN.
    public func backingFile(lun: Int) throws(LabError) -> String {
        guard (1...description.disks.count).contains(lun) else {
            throw .refused("Lab \(folder.prefix) has no LUN \(lun); it has 1 to \(description.disks.count).")
        }
        return folder.disk(lun: lun)
    }
    /// The target's iSCSI qualified name.
    public var sanTarget: String { SAN.target(prefix: folder.prefix) }
    public var sanCredentials: (user: String, secret: String) { (record.credentials.user, record.credentials.secret) }
    public var sanLog: String { folder.tgtdLog }
    /// A folder for the caller's own files; it goes away with the lab.
    public func scratchFolder() throws(LabError) -> String {
        let path = folder.path + "/scratch"
        try Files.makeFolder(path)
        return path
    }

    /// The guest for the lab's machines; built first if need be.
    public func guest() async throws(LabError) -> LabGuest { try await LabGuest.build(tools) }

    /// What the journal of a guest proves; ``LabGuest`` says where it lies. `file`: for instance ``backingFile(lun:)``.
    public func journalReport(
        _ file: String, offset: UInt64 = LabGuest.journalOffset, byteCount: UInt64 = LabGuest.journalByteCount
    ) async throws(LabError) -> JournalReport {
        try await JournalReport.read(file, offset: offset, byteCount: byteCount, tools: tools)
    }

    func keeper(_ member: Member) -> Keeper { Keeper(prefix: folder.prefix, member: member, groups: groups) }
    var networks: Networks { Networks(switches: keeper(.switches), all: description.networks) }
}

/// Somebody in the lab with a network of its own, in which programs can run.
public struct LabMember: Sendable {
    let keeper: Keeper
    public var name: String { keeper.member.name }
    public var isRunning: Bool { keeper.groups.keeper(of: keeper.member) != nil }

    /// Runs a program inside and waits for it. It is part of the member: it ends when the member does.
    ///
    /// What it leaves in the background must not keep its output open.
    public func exec(_ words: [String], seconds: Int = 60) async throws(LabError) -> CommandResult {
        try await Command.run(try keeper.entering(words), seconds: seconds)
    }

    /// Starts a program inside, to be ended later or to end by itself, at the latest after the time given.
    public func start(_ words: [String], seconds: Int = 600) throws(LabError) -> RunningCommand {
        RunningCommand(try keeper.entering(words), seconds: seconds)
    }

    /// The words to replace this process with, for a program that shall have our terminal.
    public func entering(_ words: [String]) throws(LabError) -> [String] { try keeper.entering(words) }

    /// Ids of all processes inside.
    public var processes: [Int32] { keeper.groups.processes(of: keeper.member) }

    /// Ids of the processes inside that run this program, told by the name that the kernel has for it (proc(5), comm: 15 characters).
    public func processes(named name: String) -> [Int32] {
        processes.filter { Files.text("/proc/\($0)/comm")?.dropLast() == name.prefix(15) }
    }
}
