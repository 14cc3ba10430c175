import ClusterModel
import Dispatch
import Foundation
import SCSI
import Synchronization

/// The witness of a cluster without a shared disk: a folder on a file share (NFS, SMB) that every node mounts.
///
///     witness                 the header, as on a witness disk
///     configuration-0, -1     the two slots: header, then payload
///     node-7                  the heartbeat of node 7
///     lock                    held by the node that arbitrates (``tryLock(as:within:)``)
///
/// A file is replaced whole: written under another name, synchronised, renamed, and the folder synchronised. A share that does not answer
/// blocks whoever touches it, without a limit that a program could set. So all calls run one after the other on a thread of their own, and
/// callers go on when theirs is over; what they asked for may still happen, before anything that is asked for later.
public final class FileShareWitness: WitnessStore {
    public let path: String
    public let cluster: UUID
    public let clusterName: String
    public let limit: Duration
    private let work: SerialWork

    public var name: String { path }
    public var payloadLimit: UInt64 { WitnessLayout.largestSlot - WitnessLayout.stride }

    private init(path: String, cluster: UUID, clusterName: String, limit: Duration, work: SerialWork) {
        self.path = path
        self.cluster = cluster
        self.clusterName = clusterName
        self.limit = limit
        self.work = work
    }

    /// Makes an existing, empty folder the witness of a cluster.
    ///
    /// - Parameter force: Also if something is in it. Files of other names stay where they are.
    public static func initialize(
        _ path: String, cluster: UUID, clusterName: String, force: Bool = false, within limit: Duration = .seconds(10)
    ) async throws(WitnessError) -> FileShareWitness {
        guard (1...VolumeHeader.clusterLimit).contains(clusterName.utf8.count), clusterName.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { throw .invalidClusterName(clusterName) }
        let work = SerialWork(path: path)
        try await work.run(within: limit) { () throws(WitnessError) in
            let folder = ShareFolder(path: path)
            let content = try folder.names()
            guard content.isEmpty || force else {
                throw .wouldDestroy(path, content: "\(content.count) file\(content.count == 1 ? "" : "s") such as \(content[0])")
            }
            for name in content where name.hasPrefix("node-") { try folder.remove(name) }
            for slot in 0..<2 {
                let empty = WitnessSlotHeader(WitnessContent(), cluster: cluster, sequence: UInt64(slot) + 1)
                try folder.replace("configuration-\(slot)", with: empty.encoded(slot: slot))
            }
            // Last: a folder without it is no witness.
            let header = WitnessHeader(
                state: .complete, sequence: 1, cluster: cluster, clusterName: clusterName, slotByteCount: WitnessLayout.largestSlot,
                number: .random(in: 1 ... .max))
            try folder.replace("witness", with: header.encoded())
        }
        return FileShareWitness(path: path, cluster: cluster, clusterName: clusterName, limit: limit, work: work)
    }

    /// - Parameter limit: For each call.
    public static func open(
        _ path: String, cluster: UUID, within limit: Duration = .seconds(10)
    ) async throws(WitnessError) -> FileShareWitness {
        let work = SerialWork(path: path)
        let header = try await work.run(within: limit) { () throws(WitnessError) in
            guard let bytes = try ShareFolder(path: path).read("witness") else {
                throw .notAWitness(path, content: "no file called witness")
            }
            do throws(MalformedData) {
                return try WitnessHeader(parsing: bytes[...], diskByteCount: .max)
            } catch { throw .damaged(path, "its header: \(error.problem)") }
        }
        guard header.cluster == cluster else {
            throw .otherCluster(path, found: header.cluster, name: header.clusterName, expected: cluster)
        }
        return FileShareWitness(path: path, cluster: cluster, clusterName: header.clusterName, limit: limit, work: work)
    }

    // MARK: The configuration

    public func readNewest() async throws(WitnessError) -> WitnessReading {
        try await work.run(within: limit) { () throws(WitnessError) in
            let slots = try self.slots()
            guard let reading = slots.newest() else { throw .unreadable(self.path, slots.defects.joined(separator: "; ")) }
            return reading
        }
    }

    public func write(_ content: WitnessContent, evenIfDamaged: Bool = false) async throws(WitnessError) {
        guard UInt64(content.payload.count) <= payloadLimit else {
            throw .tooLarge(path, byteCount: content.payload.count, limit: payloadLimit)
        }
        try await work.run(within: limit) { () throws(WitnessError) in
            let slots = try self.slots()
            guard slots.newest() != nil || evenIfDamaged else {
                throw .unreadable(self.path, slots.defects.joined(separator: "; "))
            }
            try slots.check(content.position, on: self.path)
            guard slots.highestSequence < .max else { throw .damaged(self.path, "its sequence numbers are used up") }
            let header = WitnessSlotHeader(content, cluster: self.cluster, sequence: slots.highestSequence + 1)
            let slot = slots.older
            try ShareFolder(path: self.path).replace("configuration-\(slot)", with: header.encoded(slot: slot) + content.payload)
        }
    }

    private func slots() throws(WitnessError) -> WitnessSlots {
        var found: [WitnessSlots.Slot] = []
        for slot in 0..<2 { found.append(try read(slot)) }
        return WitnessSlots(slots: found)
    }

    private func read(_ slot: Int) throws(WitnessError) -> WitnessSlots.Slot {
        guard let bytes = try ShareFolder(path: path).read("configuration-\(slot)") else { return .unreadable("the file is missing") }
        do throws(MalformedData) {
            let header = try WitnessSlotHeader(parsing: bytes[...], slot: slot, cluster: cluster, limit: payloadLimit)
            let payload = [UInt8](bytes.dropFirst(VolumeLayout.structureByteCount))
            let isWhole =
                UInt64(payload.count) == header.payloadByteCount && payload.withUnsafeBytes { CRC32.checksum($0) } == header.payloadChecksum
            return isWhole ? .whole(header, payload: payload) : .torn(header)
        } catch { return .unreadable(error.problem) }
    }

    // MARK: Heartbeats

    public func heartbeats(of nodes: [NodeID]) async throws(WitnessError) -> [NodeID: WitnessHeartbeatReading] {
        try await work.run(within: limit) { () throws(WitnessError) in
            var found: [NodeID: WitnessHeartbeatReading] = [:]
            for node in nodes {
                guard let bytes = try ShareFolder(path: self.path).read("node-\(node)") else {
                    found[node] = .never
                    continue
                }
                do throws(MalformedData) {
                    found[node] = try WitnessHeartbeat(parsing: bytes[...], node: node, cluster: self.cluster).map { .beat($0) } ?? .never
                } catch { found[node] = .unreadable(error.problem) }
            }
            return found
        }
    }

    public func writeHeartbeat(_ heartbeat: WitnessHeartbeat) async throws(WitnessError) {
        try await work.run(within: limit) { () throws(WitnessError) in
            try ShareFolder(path: self.path).replace("node-\(heartbeat.node)", with: heartbeat.encoded(cluster: self.cluster))
        }
    }

    // MARK: Arbitration

    /// Tries to become the node that holds the witness. The lock lasts as long as the value that is returned, or its process; then the
    /// file server gives it to the next one (NFSv4: when its lease is over).
    ///
    /// - Returns: Nil when another node has it.
    public func tryLock(as node: NodeID) async throws(WitnessError) -> FileShareLock? {
        try await work.run(within: limit) { () throws(WitnessError) in
            guard let lock = try FileShareLock(path: self.path + "/lock") else { return nil }
            try lock.sign("\(node)\n")
            return lock
        }
    }

    /// The node that has the lock, as it wrote itself; nil when nobody has it.
    public func lockHolder() async throws(WitnessError) -> NodeID? {
        try await work.run(within: limit) { () throws(WitnessError) in
            guard try FileShareLock.isTaken(self.path + "/lock"), let bytes = try ShareFolder(path: self.path).read("lock") else {
                return nil
            }
            return UInt16(String(decoding: bytes.prefix(while: { $0 != 0x0a }), as: UTF8.self)).flatMap(NodeID.init(rawValue:))
        }
    }
}

/// Blocking work, one after the other, on a thread that nobody else needs; callers wait for it no longer than they want to.
private final class SerialWork: Sendable {
    private let path: String
    private let queue: DispatchQueue
    init(path: String) {
        self.path = path
        queue = DispatchQueue(label: "apus.witness-share")
    }

    func run<Value: Sendable>(
        within limit: Duration, _ body: @escaping @Sendable () throws(WitnessError) -> Value
    ) async throws(WitnessError) -> Value {
        let result: Result<Value, WitnessError> = await withCheckedContinuation { continuation in
            let once = Once<Result<Value, WitnessError>> { continuation.resume(returning: $0) }
            queue.async { once.give(Result { () throws(WitnessError) in try body() }) }
            let seconds = Double(limit.components.seconds) + Double(limit.components.attoseconds) / 1e18
            DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [path] in
                once.give(.failure(.share(path: path, "it did not answer within \(limit); check the file server and the network")))
            }
        }
        return try result.get()
    }
}

/// Lets the first of two answers through.
private final class Once<Answer: Sendable>: Sendable {
    private let body: Mutex<(@Sendable (Answer) -> Void)?>
    init(_ body: @escaping @Sendable (Answer) -> Void) { self.body = Mutex(body) }
    func give(_ answer: Answer) { body.withLock { $0.take() }?(answer) }
}
