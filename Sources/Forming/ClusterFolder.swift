import ClusterAPI
import ClusterModel
import Foundation
import NodeIdentity

/// Everything that makes a node a member, in one folder: `STATE/cluster`. Where it exists, the node is a member; where not, it is free.
///
/// A node becomes a member by the rename of a folder that is complete and synced, and free again by another: there is no half of it.
public struct ClusterFolder: Hashable, Sendable {
    let state: String
    public let path: String
    private var pending: String { state + "/cluster.pending" }
    private var removed: String { state + "/cluster.removed" }

    /// - Parameter state: The node's state folder, ``NodeDirectories/state``.
    public init(state: String) {
        self.state = state
        path = state + "/cluster"
    }

    /// Certificates and keys of the node in this cluster.
    public var identity: String { path + "/identity" }
    /// The key of Corosync's links.
    public var corosyncKey: String { path + "/corosync-key" }
    /// What corosync.conf is to say at the first start.
    public var corosyncConfiguration: String { path + "/corosync.conf" }
    /// The replica that the node begins with, the JSON form of a ``ReplicaImage``; empty once it has begun.
    public var initialImage: String { path + "/initial-image.json" }
    /// The folder of the replicated configuration's database.
    public var store: String { path + "/store" }
    private static let record = "/member.json"
    private static let session = "/forming.json"
    private static let founding = "/founding.json"
    private static let stopped = "/stopped"
    private static let evicted = "/evicted.json"

    // MARK: Becoming a member

    /// Keeps a bundle durable but without effect.
    ///
    /// - Parameter machineGroup: The group of the user that QEMU runs as.
    func keepPending(_ bundle: MembershipBundle, session: FormingSession, machineGroup: UInt32?, now: Date) throws {
        try FolderStep.remove(pending)
        // Others may pass through to what is theirs: QEMU to its certificates.
        try FolderStep.makeFolder(pending, mode: 0o711)
        try bundle.credentials.writeReplaceable(to: pending + "/identity", machineGroup: machineGroup)
        try FolderStep.write(bundle.corosyncKey, to: pending + "/corosync-key", mode: 0o400)
        try FolderStep.write(Data(bundle.corosyncConfiguration.utf8), to: pending + "/corosync.conf", mode: 0o644)
        try FolderStep.write(bundle.image, to: pending + "/initial-image.json")
        try FolderStep.write(APICoding.readableEncoder.encode(session), to: pending + Self.session)
        try FolderStep.write(APICoding.readableEncoder.encode(MemberRecord(bundle, joinedAt: now)), to: pending + Self.record)
        try FolderStep.syncFolder(pending)
        // Everything that will be needed must be readable here, before the node depends on it.
        _ = try NodeIdentity.load(from: pending + "/identity", node: bundle.node.rawValue, now: now)
    }

    /// Keeps beside this node's own bundle how the creation goes on if it is broken off after ``activate()``.
    func keepPending(_ founding: Founding) throws {
        try FolderStep.write(APICoding.readableEncoder.encode(founding), to: pending + Self.founding)
    }

    /// Who this node is to become, the certificates that it will have then, and whether its cluster is just being formed; nil when nothing
    /// is pending. Whoever is added to a cluster that runs begins without an image.
    func pendingMember() throws(FolderError) -> (record: MemberRecord, identity: String, isFounding: Bool)? {
        guard hasPending else { return nil }
        let image = FileManager.default.contents(atPath: pending + "/initial-image.json") ?? Data()
        return (try read(MemberRecord.self, pending + Self.record), pending + "/identity", !image.isEmpty)
    }

    var hasPending: Bool { FolderStep.exists(pending) }
    func dropPending() throws(FolderError) { try FolderStep.remove(pending) }

    /// Makes what is pending hold.
    func activate() throws(FolderError) {
        guard !FolderStep.exists(path) else { throw FolderError(path: path, reason: "exists already") }
        try FolderStep.rename(pending, to: path)
    }

    // MARK: Being one

    /// Who this node is in its cluster; nil when it is in none.
    ///
    /// - Throws: When there is a folder that cannot be read: such a node must not be mistaken for a free one.
    public func member() throws(FolderError) -> MemberRecord? {
        guard FolderStep.exists(path) else { return nil }
        return try read(MemberRecord.self, path + Self.record)
    }

    /// Takes ``initialImage`` away once the replica has it. A node whose database vanishes as a whole must not begin once more with what the
    /// cluster was founded with: it would count although it forgot what it acknowledged since.
    public func spendInitialImage() throws(FolderError) { try FolderStep.write(Data(), to: initialImage) }

    /// Keeps the list of nodes for the next start, when the replicated configuration is not open yet.
    public func keep(_ member: MemberRecord) throws {
        try FolderStep.write(APICoding.readableEncoder.encode(member), to: path + Self.record)
    }

    /// Set by an operator: Corosync and the engine are not started, also not after a reboot.
    public var isStopped: Bool { FolderStep.exists(path + Self.stopped) }
    public func setStopped(_ isStopped: Bool) throws(FolderError) {
        if isStopped {
            try FolderStep.write(Data(), to: path + Self.stopped)
        } else {
            try FolderStep.remove(path + Self.stopped)
        }
    }

    /// What the others said when they refused this node.
    public func eviction() -> Eviction? { try? read(Eviction.self, path + Self.evicted) }
    public func keep(_ eviction: Eviction) throws {
        try FolderStep.write(APICoding.readableEncoder.encode(eviction), to: path + Self.evicted)
    }

    /// The session by which the node was made a member, as long as whoever did it may take it back.
    func session() -> FormingSession? { try? read(FormingSession.self, path + Self.session) }
    func endSession() throws(FolderError) { try FolderStep.remove(path + Self.session) }

    /// The creation of the cluster, on the node that carries it out, until all nodes are up.
    public func founding() -> Founding? { try? read(Founding.self, path + Self.founding) }
    func endFounding() throws(FolderError) { try FolderStep.remove(path + Self.founding) }

    // MARK: Becoming free

    /// Makes the node a free one. Its keys and its copy of the configuration are gone afterwards.
    public func remove() throws(FolderError) {
        try FolderStep.remove(removed)
        if FolderStep.exists(path) { try FolderStep.rename(path, to: removed) }
        try FolderStep.remove(removed)
    }

    /// Clears away what a crash has left: a bundle that was never activated, a cluster folder half removed.
    ///
    /// - Returns: Whether there was a bundle.
    @discardableResult
    public func tidy() throws(FolderError) -> Bool {
        let hadPending = hasPending
        try dropPending()
        try FolderStep.remove(removed)
        return hadPending
    }

    private func read<Value: Decodable>(_ type: Value.Type, _ file: String) throws(FolderError) -> Value {
        do { return try APICoding.decoder.decode(type, from: Data(contentsOf: URL(filePath: file))) } catch {
            throw FolderError(path: file, reason: (error as? DecodingError)?.sentence ?? error.localizedDescription)
        }
    }
}

/// Who a node is in its cluster, kept beside the replicated configuration because it is needed before that can be read.
public struct MemberRecord: Hashable, Sendable, Codable {
    public var clusterID: UUID
    public var cluster: ClusterName
    public var node: NodeName
    public var nodeID: NodeID
    /// Every member, as last known.
    public var nodes: [NodeAddress]
    public var joinedAt: Date

    public init(clusterID: UUID, cluster: ClusterName, node: NodeName, nodeID: NodeID, nodes: [NodeAddress], joinedAt: Date) {
        self.clusterID = clusterID
        self.cluster = cluster
        self.node = node
        self.nodeID = nodeID
        self.nodes = nodes
        self.joinedAt = joinedAt
    }

    init(_ bundle: MembershipBundle, joinedAt: Date) {
        self.init(
            clusterID: bundle.clusterID, cluster: bundle.cluster, node: bundle.node, nodeID: bundle.nodeID, nodes: bundle.nodes,
            joinedAt: joinedAt)
    }
}

/// That a node was removed from its cluster while it could not be told, as a member told it when it came back.
public struct Eviction: Hashable, Sendable, Codable {
    /// When it was told so.
    public var learnedAt: Date
    /// When it was evicted, and why: sentences.
    public var message: String
    public init(learnedAt: Date, message: String) {
        self.learnedAt = learnedAt
        self.message = message
    }
}

/// The right to go on with a join, kept as a hash, so that it outlives a crash of the service between activation and success.
struct FormingSession: Hashable, Sendable, Codable {
    /// SHA-256 of the session's secret.
    var digest: Data
    var founder: NodeName
}

extension MembershipBundle {
    var credentials: NodeCredentials {
        func certificate(_ files: CertificateFiles) -> CertificateWithKey {
            CertificateWithKey(authorityPEM: files.authority, certificatePEM: files.certificate, keyPEM: files.key, expires: .distantFuture)
        }
        return NodeCredentials(node: node.rawValue, api: certificate(api), stream: certificate(stream))
    }
}

extension MembershipBundle.CertificateFiles {
    init(_ issued: CertificateWithKey) {
        self.init(authority: issued.authorityPEM, certificate: issued.certificatePEM, key: issued.keyPEM)
    }
}
