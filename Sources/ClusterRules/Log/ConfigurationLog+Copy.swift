import ClusterModel

/// A log that comes in, in chunks.
struct IncomingCopy: Sendable {
    var transfer: UInt64
    var chunks: [[UInt8]] = []
    var bytes = 0
    var since: Duration
    /// Own request was delivered: the entries that are delivered from here on are not in the copy.
    var isServed = false
}

/// A log that goes out.
struct OutgoingCopy: Sendable {
    var transfer: UInt64
    var bytes: [UInt8]
    var count: UInt32
    var sent: UInt32 = 0
    var received: UInt32 = 0
}

// Bringing the log of an epoch to members that do not have it, while the others go on.
extension ConfigurationLog {
    mutating func fetchLog() {
        guard let session, session.isPromised, !isLeader else { return }
        transferNumber += 1
        fetching = IncomingCopy(transfer: transferNumber, since: now)
        heldBack = []
        heldBackBytes = 0
        send(
            .fetch(
                Fetch(
                    transfer: transferNumber, lastIndex: log.lastIndex, chain: log.lastChain, committed: committed,
                    committedChain: committedChain)))
    }

    mutating func retryFetch() {
        guard mustFetch, session?.isPromised == true, now - (fetching?.since ?? .zero) >= settings.fetchDeadline else { return }
        fetchLog()
    }

    /// The leader: sends what that node lacks, at most all. It goes on with its own work meanwhile.
    mutating func serve(_ fetch: Fetch, to node: NodeID) {
        if node == me, fetching?.transfer == fetch.transfer { fetching?.isServed = true }
        guard isLeader, follows, node != me else { return }
        guard log.votes(committed: committed).inForce.nodes[node] != nil || log.newestVotes.nodes[node] != nil else {
            send(.turnedAway(node, tableVersion: log.newestVotes.version))
            return
        }
        var writer = ByteWriter(capacity: 4096)
        let isPrefix = log.chain(at: fetch.lastIndex) == fetch.chain && fetch.lastIndex > 0
        let isCommon = log.chain(at: fetch.committed) == fetch.committedChain && fetch.committed > 0
        if isPrefix || isCommon {
            let (index, chain) = isPrefix ? (fetch.lastIndex, fetch.chain) : (fetch.committed, fetch.committedChain)
            writer.write(UInt8(1))
            writer.write(
                ReplicaImage(
                    position: log.position, committed: max(committed, index), snapshot: [], snapshotIndex: index, snapshotChain: chain,
                    snapshotVotes: VoteTable(version: 0, nodes: [:], witness: 0),
                    entries: Array(log.entries(after: index, through: log.lastIndex))))
        } else {
            writer.write(UInt8(0))
            writer.write(log.image(committed: committed))
        }
        let count = (writer.bytes.count + LogLimits.chunkBytes - 1) / LogLimits.chunkBytes
        outgoing[node] = OutgoingCopy(transfer: fetch.transfer, bytes: writer.bytes, count: UInt32(count))
        sendChunks(to: node)
    }

    private mutating func sendChunks(to node: NodeID) {
        guard var copy = outgoing[node] else { return }
        while copy.sent < copy.count, copy.sent - copy.received < UInt32(LogLimits.chunksInFlight) {
            let start = Int(copy.sent) * LogLimits.chunkBytes
            let bytes = Array(copy.bytes[start..<min(start + LogLimits.chunkBytes, copy.bytes.count)])
            send(.chunk(Chunk(to: node, transfer: copy.transfer, sequence: copy.sent, count: copy.count, bytes: bytes)))
            copy.sent += 1
        }
        outgoing[node] = copy.received == copy.count ? nil : copy
    }

    mutating func chunkReceived(_ transfer: UInt64, _ sequence: UInt32, by node: NodeID) {
        guard let copy = outgoing[node], copy.transfer == transfer, sequence == copy.received, sequence < copy.sent else { return }
        outgoing[node]?.received += 1
        sendChunks(to: node)
    }

    mutating func received(_ chunk: Chunk, from node: NodeID) {
        guard chunk.to == me, node == session?.begin?.leader, let copy = fetching, copy.transfer == chunk.transfer,
            Int(chunk.sequence) == copy.chunks.count, chunk.sequence < chunk.count,
            copy.bytes + chunk.bytes.count <= LogLimits.imageBytes
        else { return }
        fetching?.chunks.append(chunk.bytes)
        fetching?.bytes += chunk.bytes.count
        fetching?.since = now
        send(.chunkReceived(transfer: chunk.transfer, sequence: chunk.sequence))
        if chunk.sequence + 1 == chunk.count { copyComplete() }
    }

    private mutating func copyComplete() {
        guard let copy = fetching, let begin = session?.begin, begin.epoch >= log.promised else { return }
        var reader = ByteReader(copy.chunks.flatMap { $0 })
        let old = log
        // What is not understood is asked for again after a while.
        guard let kind = try? reader.read(UInt8.self), let image = try? reader.readImage(), (try? reader.finish()) != nil,
            image.position.adopted == begin.epoch, image.position.lastIndex >= baseIndex(begin)
        else { return }
        if kind == 1 {
            guard log.replaceTail(with: image) else { return }
        } else {
            log.replace(with: image)
        }
        fetching = nil
        mustFetch = false
        settle(old)
        let held = heldBack
        heldBack = []
        heldBackBytes = 0
        takeUp(begin)
        commit(through: image.committed)
        for entries in held where mustFetch == false { add(entries, after: log.lastChain) }
    }

    mutating func holdBack(_ entries: [LogEntry]) {
        guard fetching?.isServed == true else { return }
        heldBack.append(entries)
        heldBackBytes += entries.reduce(0) { $0 + $1.payload.count + 64 }
        // It does not keep up: once more, from where it is.
        if heldBackBytes > LogLimits.heldBackBytes { fetchLog() }
    }
}
