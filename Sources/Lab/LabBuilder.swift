import ClusterModel
import Foundation

/// Builds labs and takes them down.
public struct LabBuilder: Sendable {
    private let description: LabDescription
    private let tools: LabTools
    private let nodes: LabNodes
    private let serviceSeconds: Int

    /// - Parameters:
    ///   - nodes: What the nodes are at first. Those that belong to no cluster become one by ``Lab/formCluster(witness:progress:)``.
    ///   - serviceSeconds: How long `apusd` may take to answer.
    public init(_ description: LabDescription, tools: LabTools, nodes: LabNodes, serviceSeconds: Int = 30) {
        self.description = description
        self.tools = tools
        self.nodes = nodes
        self.serviceSeconds = serviceSeconds
    }

    /// Builds the lab and waits until every node's service answers. On failure nothing is left, unless only the services were late.
    ///
    /// - Parameter progress: Told in a few words what has been reached.
    public func up(progress: @Sendable (String) -> Void = { _ in }) async throws(LabError) -> Lab {
        guard geteuid() == 0 else { throw .refused("A lab needs root: network namespaces, mounts and control groups. Use sudo.") }
        for program in ["ip", "bridge", "tc", "nsenter", "unshare", "setsid", "tgtd", "tgtadm"] where !Self.isInstalled(program) {
            throw .refused("The program \(program) is missing; `make setup` installs what the lab needs.")
        }
        guard !nodes.startsService || access(tools.apusd, X_OK) == 0 else {
            throw .file(path: tools.apusd, reason: "is no program; build apusd, or name it with --apusd")
        }
        let lab = try await lockedBuild(progress)
        if nodes.startsService {
            for node in lab.nodes {
                try await node.waitForService(seconds: serviceSeconds)
                progress("\(node.name): apusd answers")
            }
        }
        return lab
    }

    private func lockedBuild(_ progress: @Sendable (String) -> Void) async throws(LabError) -> Lab {
        let prefix = description.prefix
        let lock = try await LabLock.hold(prefix: prefix)
        let folder = LabFolder(prefix: prefix)
        guard !Files.exists(folder.path), !Files.exists(folder.disks) else {
            let state = (try? LabRecord.read(folder).isComplete) == true ? "up already" : "half built"
            throw .refused(
                "Lab \(prefix) is \(state). End it with `apus lab down --prefix \(prefix)`, or use another --prefix.")
        }
        do throws(LabError) {
            let lab = try await build(in: folder, progress)
            _ = consume lock
            return lab
        } catch {
            // Cleaning up must also be done when what failed was a cancellation, so it runs in a task that nobody cancels.
            let cleaning = Task { () async -> LabError? in
                do throws(LabError) { try await Self.takeDown(folder) } catch { return error }
                return nil
            }
            if let second = await cleaning.value {
                throw .refused("\(error) Cleaning up failed too, so use `apus lab down --prefix \(prefix)`: \(second)")
            }
            throw error
        }
    }

    private func build(in folder: LabFolder, _ progress: @Sendable (String) -> Void) async throws(LabError) -> Lab {
        try Files.makeFolder(folder.path)
        var record = LabRecord(
            description: description, tools: tools, credentials: .random(), nodes: nodes, isComplete: false)
        try record.write(to: folder)
        var lab = Lab(folder: folder, groups: try await ControlGroups.open(folder: folder), record: record)

        for member in [Member.switches, .san, .client] {
            try await lab.keeper(member).start()
            try await NodeMounts.mount(lab.keeper(member), in: folder)
        }
        try await lab.networks.makeSwitches()
        try await lab.networks.connect(lab.keeper(.san), number: nil, limit: nil)
        try await lab.networks.connect(lab.keeper(.client), number: nil, limit: nil)
        let limit = description.migrationLimit.map { ", migration limited to \($0)" } ?? ""
        progress("networks: \(description.networks.map(\.rawValue).joined(separator: ", "))\(limit)")

        let san = SAN(keeper: lab.keeper(.san), folder: folder, description: description, credentials: record.credentials)
        try san.makeDisks()
        try await san.start()
        progress("SAN: \(description.disks.count) disks at \(SAN.portal), \(lab.sanTarget)")

        try NodeFiles(lab: lab).write()
        for node in lab.nodes {
            try await node.boot(limit: description.migrationLimit)
            progress("\(node.name): cluster \(node.address(on: .cluster) ?? ""), API \(node.apiSocket)")
        }
        record.isComplete = true
        try record.write(to: folder)
        lab = Lab(folder: folder, groups: lab.groups, record: record)
        return lab
    }

    /// Ends a lab, whatever state it is in, and leaves nothing of it. Fine when there is none.
    ///
    /// - Returns: Whether there was anything.
    @discardableResult
    public static func down(prefix: String) async throws(LabError) -> Bool {
        let folder = LabFolder(prefix: try LabDescription(prefix: prefix).prefix)
        guard geteuid() == 0 else { throw .refused("Taking down a lab needs root. Use sudo.") }
        let lock = try await LabLock.hold(prefix: prefix)
        let wasThere = try await takeDown(folder)
        _ = consume lock
        return wasThere
    }

    @discardableResult
    private static func takeDown(_ folder: LabFolder) async throws(LabError) -> Bool {
        var wasThere = Files.exists(folder.path) || Files.exists(folder.disks)
        let groups = try await ControlGroups.open(folder: folder)
        wasThere = wasThere || groups.exists
        // Processes first: while one lives, it may make what we remove.
        try await groups.killAll()
        for name in namespaces(of: folder.prefix) {
            wasThere = true
            try await Keeper.forget(namespace: name)
        }
        try Files.remove(folder.path)
        try Files.remove(folder.disks)
        Files.removeIfEmpty(LabFolder.root)
        Files.removeIfEmpty(LabFolder.diskRoot)
        return wasThere
    }

    /// Names that this lab can have given, whoever remembers them.
    private static func namespaces(of prefix: String) -> [String] {
        let members = [Member.switches, .san, .client] + (1...16).map { Member.node(NodeName(unchecked: "n\($0)")) }
        return members.map { $0.namespace(prefix: prefix) }.filter { Files.exists(Keeper.namespaces + "/" + $0) }
    }

    /// Prefixes of all labs on this machine, sorted.
    public static func prefixes() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: LabFolder.root)) ?? []
        return names.filter { (try? LabDescription(prefix: $0)) != nil }.sorted()
    }

    /// Ends the labs whose owner (``LabDescription/owner``) is gone. Labs that somebody else keeps are left alone, whatever their names.
    public static func takeDownOrphans() async throws(LabError) {
        for prefix in prefixes() {
            guard let owner = owner(of: prefix), kill(owner, 0) != 0, errno == ESRCH else { continue }
            try await down(prefix: prefix)
        }
    }

    /// The process that a lab, finished or half built, is for; nil when it is for nobody in particular, or gone meanwhile.
    static func owner(of prefix: String) -> Int32? { (try? LabRecord.read(LabFolder(prefix: prefix)))?.description.owner }

    private static func isInstalled(_ program: String) -> Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        return path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
    }
}
