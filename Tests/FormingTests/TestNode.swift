import ClusterAPI
import ClusterModel
import Foundation
import Logging
import NodeClient
import NodeIdentity
import NodeServer
import Synchronization
import Testing

@testable import Forming

/// A node that listens on loopback and can be taken into a cluster; Corosync and the engine are played.
actor TestNode: JoiningHost {
    nonisolated let name: NodeName
    nonisolated let state: String
    nonisolated let folder: ClusterFolder
    nonisolated let shown = ListenerIdentity()
    nonisolated let address: String
    private(set) var desk: JoinDesk?
    private(set) var free: FreeNodeIdentity?
    private(set) var asked: [String] = []
    private(set) var port = 0

    /// What it fails with when it becomes a member.
    var startFailure: APIError?
    /// What it says of itself as a member.
    var memberPhase = JoinState.Phase.open
    var disks: [SharedDiskStatus] = []
    var clockAhead: TimeInterval = 0
    private var doubt = JoinDesk.doubt
    /// Who says that it is a member when this node asks.
    private var knownMembers: [NodeName] = []

    init(_ name: String, address: String = "127.0.0.1", in root: String) throws {
        self.name = try NodeName(name)
        self.address = address
        state = root + "/" + name
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
        folder = ClusterFolder(state: state)
    }

    func set(startFailure: APIError?) { self.startFailure = startFailure }
    func set(memberPhase: JoinState.Phase) { self.memberPhase = memberPhase }
    func set(disks: [SharedDiskStatus]) { self.disks = disks }
    func knows(members: [NodeName]) { knownMembers = members }
    /// As a start of the node service that waits less.
    func doubts(after doubt: Duration) throws {
        self.doubt = doubt
        try start()
    }
    func listens(on port: Int) { self.port = port }
    func note(_ call: String) { asked.append(call) }

    /// As a start of the node service.
    func start() throws {
        let free = try FreeNodeIdentity.loadOrCreate(in: state, node: name.rawValue, now: Date())
        self.free = free
        desk = JoinDesk(node: name, folder: folder, machineGroup: nil, host: self, logger: Self.logger, doubt: doubt)
        if try folder.member() == nil { try shown.showFree(free) } else { try shown.showMember(folder: folder.identity) }
    }

    func token(lifetime: Duration = .seconds(60), port: Int? = nil, fingerprint: [UInt8]? = nil) async throws -> String {
        let desk = try #require(desk)
        let free = try #require(free)
        return try NodeToken(
            node: name.rawValue, address: address, port: UInt16(port ?? self.port), fingerprint: fingerprint ?? free.fingerprint,
            secret: try await desk.makeSecret(lifetime: lifetime), expires: Date().addingTimeInterval(60)
        ).text()
    }

    /// All there is in its state folder, to be compared with later.
    nonisolated var files: [String] { (FileManager.default.enumerator(atPath: state)?.allObjects as? [String] ?? []).sorted() }

    func offer() async throws(APIError) -> JoinOffer {
        JoinOffer(
            session: Data(), node: name, addresses: NodeAddresses(rings: [address], migration: address), apiPort: 7_060,
            corosyncVersion: "3.1.7", now: Date().addingTimeInterval(clockAhead), facts: Self.facts(name), disks: disks, diskProblem: nil)
    }

    func becomeMember(_ record: MemberRecord) async throws(APIError) {
        asked.append("becomeMember")
        if let startFailure { throw startFailure }
        do { try shown.showMember(folder: folder.identity) } catch { throw APIError(.failed, "\(error)") }
    }

    func memberState() async -> JoinState { JoinState(phase: memberPhase, note: "as the test says") }

    func becomeFree() async throws(APIError) {
        asked.append("becomeFree")
        guard let free else { return }
        do { try shown.showFree(free) } catch { throw APIError(.failed, "\(error)") }
    }

    func isMember(_ other: NodeAddress, of cluster: UUID, identity: String) async -> Bool {
        knownMembers.contains(other.name) && FileManager.default.fileExists(atPath: identity + "/node-cert.pem")
    }

    static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    static func facts(_ node: NodeName) -> NodeFacts {
        NodeFacts(
            node: node, apusVersion: "0.1.0", qemuVersion: "7.2.9", acceleration: .tcg, accelerationEvidence: "", machineTypes: [],
            cpuModels: [], memoryTotalMiB: 1, memoryAvailableMiB: 1, bridges: [], disks: [], machinesRunning: 0, acceptsPostCopy: false)
    }

    static func disk(_ id: String, lun: Int = 1, _ content: DiskContent = .empty) -> SharedDiskStatus {
        SharedDiskStatus(
            id: DiskID(id), lun: lun, vendor: "APUS", product: "WITNESS", serial: id, byteCount: 64 << 20, blockByteCount: 512,
            content: content, freeByteCount: nil, extents: [])
    }
}

/// Nodes with real servers on loopback, for as long as the body runs.
enum TestNodes {
    static func with(
        _ names: [String], _ body: @escaping @Sendable ([TestNode]) async throws -> Void
    ) async throws {
        let root = "/tmp/apus-forming-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: root) }
        var nodes: [TestNode] = []
        for (index, name) in names.enumerated() {
            let node = try TestNode(name, address: "127.0.0.\(index + 1)", in: root)
            try await node.start()
            nodes.append(node)
        }
        try await serve(nodes[...], all: nodes, body)
    }

    private static func serve(
        _ rest: ArraySlice<TestNode>, all: [TestNode], _ body: @escaping @Sendable ([TestNode]) async throws -> Void
    ) async throws {
        guard let node = rest.first else { return try await body(all) }
        let (listening, report) = AsyncStream.makeStream(of: NodeServer.Listening.self)
        let server = NodeServer(
            operations: JoinableOperations(node: node), validation: JoinableOperations(node: node), socketPath: node.state + "/s",
            cluster: .init(address: node.address, port: 0, identity: node.shown), version: "test", logger: TestNode.logger,
            onListening: { report.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { report.finish() }
                try await server.run()
            }
            defer { group.cancelAll() }
            var iterator = listening.makeAsyncIterator()
            guard let port = await iterator.next()?.port else {
                try await group.next()
                throw APIError(.failed, "The server ended before it listened.")
            }
            await node.listens(on: port)
            try await serve(rest.dropFirst(), all: all, body)
            group.cancelAll()
            try await group.next()
        }
    }
}
