import ClusterModel

extension ByteWriter {
    mutating func write(_ value: RequestID) {
        write(value.node)
        write(value.incarnation)
        write(value.number)
    }
    mutating func write(_ value: VoteTable) {
        write(value.version)
        write(UInt32(clamping: value.witness))
        write(value.witnessID)
        write(list: value.nodes.sorted { $0.key < $1.key }) {
            $0.write($1.key)
            $0.write(UInt32(clamping: $1.value))
        }
    }
    mutating func write(_ value: ReplicaPosition) {
        write(value.promised)
        write(value.adopted)
        write(value.lastIndex)
        write(value.chain)
    }
    mutating func write(_ value: LogEntry) {
        write(value.index)
        write(value.epoch)
        write(value.request)
        write(value.payload)
        write(value.votes) { $0.write($1) }
        write(value.chain)
    }
    mutating func write(_ value: ReplicaImage) {
        write(value.position)
        write(value.committed)
        write(value.snapshot)
        write(value.snapshotIndex)
        write(value.snapshotChain)
        write(value.snapshotVotes)
        write(list: value.entries) { $0.write($1) }
    }
}

extension ByteReader {
    mutating func readRequest() throws(CodingError) -> RequestID {
        RequestID(node: try readNode(), incarnation: try read(), number: try read())
    }
    mutating func readVotes() throws(CodingError) -> Int {
        let votes: UInt32 = try read()
        guard votes <= 1000 else { throw .outOfRange("a node with \(votes) votes") }
        return Int(votes)
    }
    mutating func readVoteTable() throws(CodingError) -> VoteTable {
        let version: UInt64 = try read()
        let witness = try readVotes()
        let witnessID: UInt64 = try read()
        var nodes: [NodeID: Int] = [:]
        for (node, votes) in try readList(minimum: 6, { reader throws(CodingError) in (try reader.readNode(), try reader.readVotes()) }) {
            guard nodes.updateValue(votes, forKey: node) == nil else { throw .outOfRange("a node that is named twice") }
        }
        return VoteTable(version: version, nodes: nodes, witness: witness, witnessID: witnessID)
    }
    mutating func readPosition() throws(CodingError) -> ReplicaPosition {
        let position = ReplicaPosition(promised: try read(), adopted: try read(), lastIndex: try read(), chain: try read())
        guard position.adopted <= position.promised, position.lastIndex <= UInt64(Int64.max) else { throw .outOfRange("a position") }
        return position
    }
    mutating func readEntry() throws(CodingError) -> LogEntry {
        LogEntry(
            index: try read(), epoch: try read(), request: try readRequest(), payload: try readBytes(limit: LogLimits.payloadBytes),
            votes: try readOptional { reader throws(CodingError) in try reader.readVoteTable() }, chain: try read())
    }
    mutating func readImage() throws(CodingError) -> ReplicaImage {
        let position = try readPosition()
        let image = ReplicaImage(
            position: position, committed: try read(), snapshot: try readBytes(limit: LogLimits.imageBytes), snapshotIndex: try read(),
            snapshotChain: try read(), snapshotVotes: try readVoteTable(),
            entries: try readList(minimum: 51) { reader throws(CodingError) in try reader.readEntry() })
        if let inconsistency = image.inconsistency { throw .outOfRange("an image in which \(inconsistency)") }
        _ = try LogSnapshot.decode(image.snapshot)
        return image
    }
}

extension ReplicaImage {
    /// What a cluster begins with on every founding node: a log of one entry, which is committed. The witness begins empty.
    ///
    /// - Parameters:
    ///   - node: Who founded it.
    ///   - payload: The command that makes the first state.
    ///   - votes: The first table.
    public static func founding(by node: NodeID, payload: [UInt8], votes: VoteTable) -> ReplicaImage {
        // Number zero: before every request that the founder's engine will ever make.
        let entry = LogEntry.chained(
            after: 0, index: 1, epoch: 1, request: RequestID(node: node, incarnation: 0, number: 0), payload: payload, votes: votes)
        return ReplicaImage(
            position: ReplicaPosition(promised: 1, adopted: 1, lastIndex: 1, chain: entry.chain), committed: 1, snapshot: [],
            snapshotIndex: 0, snapshotChain: 0, snapshotVotes: VoteTable(version: 0, nodes: [:], witness: 0), entries: [entry])
    }
}

/// A replica as bytes, as the witness keeps it in its slots. The slot has a checksum of its own around it.
public enum ReplicaImageCodec {
    public static func encode(_ image: ReplicaImage) -> [UInt8] {
        var writer = ByteWriter(capacity: image.entries.reduce(image.snapshot.count + 256) { $0 + $1.payload.count + 64 })
        writer.write(UInt8(1))
        writer.write(image)
        return writer.bytes
    }
    /// - Throws: ``CodingError`` for anything that ``encode(_:)`` does not make, also when an entry does not follow from the one before.
    public static func decode(_ bytes: [UInt8]) throws(CodingError) -> ReplicaImage {
        var reader = ByteReader(bytes)
        let version: UInt8 = try reader.read()
        guard version == 1 else { throw .version(version) }
        let image = try reader.readImage()
        try reader.finish()
        return image
    }
}
