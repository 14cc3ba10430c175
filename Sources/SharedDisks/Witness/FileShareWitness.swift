import ClusterModel
import Dispatch
import Foundation
import SCSI
import Synchronization

/// The witness of a cluster without a shared disk: a folder on a file share (NFS, SMB) that every node mounts.
///
///     witness                    the header, as on a witness disk
///     lock                       who holds it, and under which term (``ShareHolder``)
///     configuration-TERM-0, -1   the two slots of a term: header, then payload
///     node-7                     the heartbeat of node 7
///
/// A file other than `lock` is replaced whole: written under another name, synchronised, renamed, and the folder synchronised. A share has
/// no reservations, so nothing stops a late write of a former holder. It does no harm: each holder has a term of its own, and writes only
/// files that bear it. Whoever took the lock reads what the terms before left, once; what lands there later is never looked at again,
/// and its writer finds the lock changed and does not count it as written.
///
/// A share that does not answer blocks whoever touches it, without a limit that a program could set. So all calls run one after the other
/// on a thread of their own, and callers go on when theirs is over. What has not begun by then is not done any more.
public final class FileShareWitness: WitnessStore {
    public let path: String
    public let cluster: UUID
    public let clusterName: String
    /// ``VoteTable/witnessID``: drawn when it was initialised.
    public let number: UInt64
    public let limit: Duration
    private let work: SerialWork
    /// Under which this process holds the lock.
    private let term = Mutex<UInt64?>(nil)

    public var name: String { path }
    public var payloadLimit: UInt64 { WitnessLayout.largestSlot - WitnessLayout.stride }

    private init(path: String, header: WitnessHeader, limit: Duration, work: SerialWork) {
        self.path = path
        cluster = header.cluster
        clusterName = header.clusterName
        number = header.number
        self.limit = limit
        self.work = work
    }

    /// Makes an existing, empty folder the witness of a cluster.
    ///
    /// - Parameters:
    ///   - number: ``VoteTable/witnessID`` of the new witness.
    ///   - force: Also if something is in it. Files of other names stay where they are.
    public static func initialize(
        _ path: String, cluster: UUID, clusterName: String, number: UInt64 = .random(in: 1 ... .max), force: Bool = false,
        within limit: Duration = .seconds(10)
    ) async throws(WitnessError) -> FileShareWitness {
        guard (1...VolumeHeader.clusterLimit).contains(clusterName.utf8.count), clusterName.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { throw .invalidClusterName(clusterName) }
        let work = SerialWork.of(path)
        let header = WitnessHeader(
            state: .complete, sequence: 1, cluster: cluster, clusterName: clusterName, slotByteCount: WitnessLayout.largestSlot,
            number: number)
        try await work.run(within: limit) { () throws(WitnessError) in
            let folder = ShareFolder(path: path)
            let content = try folder.names()
            guard content.isEmpty || force else {
                throw .wouldDestroy(path, content: "\(content.count) file\(content.count == 1 ? "" : "s") such as \(content[0])")
            }
            for name in content where isOurs(name) { try folder.remove(name) }
            for slot in 0..<2 {
                let empty = WitnessSlotHeader(WitnessContent(), cluster: cluster, sequence: UInt64(slot) + 1)
                try folder.replace(file(term: 0, slot: slot), with: empty.encoded(slot: slot))
            }
            // Last: a folder without it is no witness.
            try folder.replace("witness", with: header.encoded())
        }
        return FileShareWitness(path: path, header: header, limit: limit, work: work)
    }

    /// - Parameter limit: For each call.
    public static func open(
        _ path: String, cluster: UUID, within limit: Duration = .seconds(10)
    ) async throws(WitnessError) -> FileShareWitness {
        let work = SerialWork.of(path)
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
        return FileShareWitness(path: path, header: header, limit: limit, work: work)
    }

    /// Removes every file of the witness.
    ///
    /// - Throws: As ``open(_:cluster:within:)``: a folder that is not this cluster's witness is left as it is.
    public static func clear(_ path: String, cluster: UUID) async throws(WitnessError) {
        let witness = try await open(path, cluster: cluster)
        try await witness.work.run(within: witness.limit) { () throws(WitnessError) in
            let folder = ShareFolder(path: path)
            for name in try folder.names() where isOurs(name) { try folder.remove(name) }
        }
    }

    private static func isOurs(_ name: String) -> Bool {
        let plain = name.hasPrefix(".") && name.hasSuffix(".new") ? String(name.dropFirst().dropLast(4)) : name
        return plain == "witness" || plain == "lock" || plain.hasPrefix("node-") || plain.hasPrefix("configuration-")
    }

    // MARK: The configuration

    public func readNewest() async throws(WitnessError) -> WitnessReading {
        try await work.run(within: limit) { () throws(WitnessError) in
            let slots = try self.slots().slots
            guard let reading = slots.newest() else { throw .unreadable(self.path, slots.defects.joined(separator: "; ")) }
            return reading
        }
    }

    /// Writes the older slot of the term under which this process holds the lock.
    public func write(_ content: WitnessContent, evenIfDamaged: Bool = false) async throws(WitnessError) {
        guard UInt64(content.payload.count) <= payloadLimit else {
            throw .tooLarge(path, byteCount: content.payload.count, limit: payloadLimit)
        }
        let held = term.withLock { $0 }
        try await work.run(within: limit) { () throws(WitnessError) in
            let (top, slots) = try self.slots()
            let term = held ?? top
            guard term >= top else { throw .shareTaken(path: self.path) }
            guard slots.newest() != nil || evenIfDamaged else {
                throw .unreadable(self.path, slots.defects.joined(separator: "; "))
            }
            try slots.check(content.position, on: self.path)
            guard slots.highestSequence < .max else { throw .damaged(self.path, "its sequence numbers are used up") }
            let header = WitnessSlotHeader(content, cluster: self.cluster, sequence: slots.highestSequence + 1)
            let folder = ShareFolder(path: self.path)
            let present = Set(try folder.names())
            let missing = (0..<2).first { !present.contains(Self.file(term: term, slot: $0)) }
            let slot = missing ?? slots.older
            try folder.replace(Self.file(term: term, slot: slot), with: header.encoded(slot: slot) + content.payload)
            // Terms before are not needed any more once both slots are of this one.
            let names = try folder.names()
            guard (0..<2).allSatisfy({ names.contains(Self.file(term: term, slot: $0)) }) else { return }
            for name in names where Self.term(of: name).map({ $0 < term }) == true { try folder.remove(name) }
        }
    }

    private static func file(term: UInt64, slot: Int) -> String { "configuration-\(term)-\(slot)" }
    /// Nil for files that are no slots.
    private static func term(of name: String) -> UInt64? {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "configuration", parts[2] == "0" || parts[2] == "1" else { return nil }
        return UInt64(parts[1])
    }

    /// The slots of the newest term. One that it has not written yet counts as what the term before had last.
    private func slots() throws(WitnessError) -> (term: UInt64, slots: WitnessSlots) {
        let folder = ShareFolder(path: path)
        let names = Set(try folder.names())
        let terms = Set(names.compactMap(Self.term(of:))).sorted(by: >)
        guard let top = terms.first else {
            return (0, WitnessSlots(slots: [.unreadable("the file is missing"), .unreadable("the file is missing")]))
        }
        var found: [WitnessSlots.Slot] = []
        for slot in 0..<2 {
            if names.contains(Self.file(term: top, slot: slot)) {
                found.append(try read(term: top, slot: slot))
            } else {
                found.append(try newest(of: terms.dropFirst(), names))
            }
        }
        return (top, WitnessSlots(slots: found))
    }

    private func newest(of terms: ArraySlice<UInt64>, _ names: Set<String>) throws(WitnessError) -> WitnessSlots.Slot {
        for term in terms {
            var best: (sequence: UInt64, slot: WitnessSlots.Slot)?
            for slot in 0..<2 where names.contains(Self.file(term: term, slot: slot)) {
                let found = try read(term: term, slot: slot)
                if case .whole(let header, _) = found, header.sequence > best?.sequence ?? 0 { best = (header.sequence, found) }
            }
            if let best { return best.slot }
        }
        return .unreadable("the file is missing")
    }

    private func read(term: UInt64, slot: Int) throws(WitnessError) -> WitnessSlots.Slot {
        guard let bytes = try ShareFolder(path: path).read(Self.file(term: term, slot: slot)) else {
            return .unreadable("the file is missing")
        }
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

    /// Who holds it. Nobody while the file is absent or damaged: then it is taken anew, after the same waiting as a free one.
    public func holder() async throws(WitnessError) -> ShareHolder {
        try await work.run(within: limit) { () throws(WitnessError) in
            let lock = try ShareLock(path: self.path + "/lock", changes: false)
            return try self.holder(lock)
        }
    }

    /// Makes a key the holder, or nobody, if the holder is the expected one.
    ///
    /// - Returns: false when it is another one; then nothing changed.
    public func exchange(_ expected: UInt64?, for new: UInt64?) async throws(WitnessError) -> Bool {
        try await work.run(within: limit) { () throws(WitnessError) in
            let lock = try ShareLock(path: self.path + "/lock", changes: true)
            let found = try self.holder(lock)
            guard found.key == expected else { return false }
            // Above all files too: a lock that was lost or damaged must not bring back a term that was used.
            let top = try self.slots().term
            let highest = max(found.term, top)
            guard highest < .max else { throw .damaged(self.path, "its terms are used up") }
            let next = ShareHolder(key: new, term: highest + 1)
            try lock.write(next.encoded(cluster: self.cluster))
            self.term.withLock { $0 = new == nil ? nil : next.term }
            return true
        }
    }

    private func holder(_ lock: borrowing ShareLock) throws(WitnessError) -> ShareHolder {
        let bytes = try lock.read()
        guard let holder = try? ShareHolder(parsing: bytes, cluster: cluster) else { return ShareHolder(key: nil, term: 0) }
        return holder
    }
}

/// Blocking work, one after the other, on a thread that nobody else needs; callers wait for it no longer than they want to.
private final class SerialWork: Sendable {
    private let path: String
    private let queue: DispatchQueue
    private init(path: String) {
        self.path = path
        queue = DispatchQueue(label: "apus.witness-share")
    }

    /// One for each share, whoever opens it how often: a share that hangs must not take another thread at each attempt.
    private static let all = Mutex<[String: SerialWork]>([:])
    static func of(_ path: String) -> SerialWork {
        all.withLock { all in
            if let work = all[path] { return work }
            let work = SerialWork(path: path)
            all[path] = work
            return work
        }
    }

    func run<Value: Sendable>(
        within limit: Duration, _ body: @escaping @Sendable () throws(WitnessError) -> Value
    ) async throws(WitnessError) -> Value {
        let result: Result<Value, WitnessError> = await withCheckedContinuation { continuation in
            let once = Once<Result<Value, WitnessError>> { continuation.resume(returning: $0) }
            queue.async {
                // Whoever asked has been told that it did not happen in time; it must not happen any later than that either.
                guard once.isOpen else { return }
                once.give(Result { () throws(WitnessError) in try body() })
            }
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
    var isOpen: Bool { body.withLock { $0 != nil } }
    func give(_ answer: Answer) { body.withLock { $0.take() }?(answer) }
}
