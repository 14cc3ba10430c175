import ClusterModel

/// ``LogMessage`` as bytes: a version, the kind, the session, and the fields in order, all big endian.
///
/// A member of another version is told apart by the first byte, and what it says is refused as a whole.
public enum LogMessageCodec {
    static let version: UInt8 = 1

    public static func encode(_ message: LogMessage) -> [UInt8] {
        var writer = ByteWriter(capacity: message.body.sizeHint)
        writer.write(version)
        writer.write(message.body.kind)
        writer.write(message.tag.round)
        writer.write(message.tag.membership)
        writer.write(message.body)
        return writer.bytes
    }

    /// - Throws: ``CodingError`` for anything that ``encode(_:)`` does not make.
    public static func decode(_ bytes: [UInt8]) throws(CodingError) -> LogMessage {
        var reader = ByteReader(bytes)
        let version: UInt8 = try reader.read()
        guard version == Self.version else { throw .version(version) }
        let kind: UInt8 = try reader.read()
        let tag = SessionTag(round: try reader.read(), membership: try reader.read())
        let body = try reader.readBody(kind)
        try reader.finish()
        return LogMessage(tag: tag, body: body)
    }
}

extension LogMessage.Body {
    fileprivate var kind: UInt8 {
        switch self {
        case .hello: 1
        case .begin: 2
        case .promised: 3
        case .witness: 4
        case .fetch: 5
        case .chunk: 6
        case .chunkReceived: 7
        case .propose: 8
        case .append: 9
        case .acknowledged: 10
        case .refused: 11
        case .turnedAway: 12
        case .force: 13
        case .pulse: 14
        }
    }
    fileprivate var sizeHint: Int {
        switch self {
        case .chunk(let chunk): chunk.bytes.count + 64
        case .propose(let proposal), .force(let proposal): proposal.payload.count + 128
        case .append(let append): append.items.reduce(64) { $0 + ($1.proposal?.payload.count ?? 0) + 32 }
        default: 128
        }
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ body: LogMessage.Body) {
        switch body {
        case .hello(let hello): write(hello)
        case .begin(let begin): write(begin)
        case .promised(let epoch, let witness):
            write(epoch)
            write(witness)
        case .witness(let report): write(report) { $0.write($1) }
        case .fetch(let fetch):
            write(fetch.transfer)
            write(fetch.lastIndex)
            write(fetch.chain)
            write(fetch.committed)
            write(fetch.committedChain)
        case .chunk(let chunk):
            write(chunk.to)
            write(chunk.transfer)
            write(chunk.sequence)
            write(chunk.count)
            write(chunk.bytes)
        case .chunkReceived(let transfer, let sequence):
            write(transfer)
            write(sequence)
        case .propose(let proposal), .force(let proposal): write(proposal)
        case .append(let append): write(append)
        case .acknowledged(let epoch, let index, let witness):
            write(epoch)
            write(index)
            write(witness)
        case .refused(let request, let reason):
            write(request)
            write(reason.rawValue)
        case .turnedAway(let node, let version):
            write(node)
            write(version)
        case .pulse: break
        }
    }
    private mutating func write(_ hello: Hello) {
        write(list: hello.members) {
            $0.write($1.node)
            $0.write($1.process)
        }
        write(list: hello.leftOut) { $0.write($1) }
        write(hello.incarnation)
        write(hello.replica)
        write(hello.witness) { $0.write($1) }
    }
    private mutating func write(_ report: ReplicaReport) {
        write(report.position)
        write(report.counts)
        write(list: report.tables) { $0.write($1) }
    }
    fileprivate mutating func write(_ report: WitnessReport) {
        write(report.witnessID)
        write(report.replica)
        write(list: report.requests) { $0.write($1) }
    }
    private mutating func write(_ begin: Begin) {
        write(begin.epoch)
        write(begin.leader)
        write(begin.base)
        write(begin.baseIsWitness)
        write(list: begin.tables) { $0.write($1) }
        write(begin.witnessID) { $0.write($1) }
        write(begin.witnessHolder) { $0.write($1) }
        write(begin.forced) { $0.write($1) }
    }
    private mutating func write(_ proposal: Proposal) {
        write(proposal.request)
        write(proposal.payload)
        write(proposal.votes) { $0.write($1) }
    }
    private mutating func write(_ append: Append) {
        write(append.epoch)
        write(append.firstIndex)
        write(append.previousChain)
        write(list: append.items) {
            $0.write($1.proposal != nil)
            switch $1 {
            case .proposal(let proposal): $0.write(proposal)
            case .delivered(let request): $0.write(request)
            }
        }
    }
}

extension ByteReader {
    fileprivate mutating func readBody(_ kind: UInt8) throws(CodingError) -> LogMessage.Body {
        switch kind {
        case 1: return .hello(try readHello())
        case 2: return .begin(try readBegin())
        case 3: return .promised(epoch: try read(), witness: try readBool())
        case 4: return .witness(try readOptional { reader throws(CodingError) in try reader.readWitnessReport() })
        case 5:
            return .fetch(
                Fetch(
                    transfer: try read(), lastIndex: try read(), chain: try read(), committed: try read(), committedChain: try read()))
        case 6:
            return .chunk(
                Chunk(
                    to: try readNode(), transfer: try read(), sequence: try read(), count: try read(),
                    bytes: try readBytes(limit: LogLimits.chunkBytes)))
        case 7: return .chunkReceived(transfer: try read(), sequence: try read())
        case 8: return .propose(try readProposal())
        case 9: return .append(try readAppend())
        case 10: return .acknowledged(epoch: try read(), index: try read(), witness: try readBool())
        case 11:
            let request = try readRequest()
            guard let reason = Refusal(rawValue: try read()) else { throw .outOfRange("the reason of a refusal") }
            return .refused(request, reason)
        case 12: return .turnedAway(try readNode(), tableVersion: try read())
        case 13: return .force(try readProposal())
        case 14: return .pulse
        default: throw .unknownKind(kind)
        }
    }
    private mutating func readHello() throws(CodingError) -> Hello {
        Hello(
            members: try readList(minimum: 6) { reader throws(CodingError) in
                GroupMember(node: try reader.readNode(), process: try reader.read())
            },
            leftOut: try readList(minimum: 2) { reader throws(CodingError) in try reader.readNode() }, incarnation: try read(),
            replica: try readReport(), witness: try readOptional { reader throws(CodingError) in try reader.readWitnessReport() })
    }
    private mutating func readReport() throws(CodingError) -> ReplicaReport {
        ReplicaReport(position: try readPosition(), counts: try readBool(), tables: try readTables())
    }
    private mutating func readTables() throws(CodingError) -> [VoteTable] {
        let tables = try readList(minimum: 24) { reader throws(CodingError) in try reader.readVoteTable() }
        guard tables.count <= 2 else { throw .outOfRange("a list of \(tables.count) vote tables") }
        return tables
    }
    private mutating func readWitnessReport() throws(CodingError) -> WitnessReport {
        WitnessReport(
            witnessID: try read(), replica: try readReport(),
            requests: try readList(minimum: 18) { reader throws(CodingError) in try reader.readRequest() })
    }
    private mutating func readBegin() throws(CodingError) -> Begin {
        let begin = Begin(
            epoch: try read(), leader: try readNode(), base: try readPosition(), baseIsWitness: try readBool(), tables: try readTables(),
            witnessID: try readOptional { reader throws(CodingError) in try reader.read() },
            witnessHolder: try readOptional { reader throws(CodingError) in try reader.readNode() },
            forced: try readOptional { reader throws(CodingError) in try reader.readProposal() })
        // An epoch without a table would need no majority.
        guard !begin.tables.isEmpty else { throw .outOfRange("an epoch without a vote table") }
        return begin
    }
    private mutating func readProposal() throws(CodingError) -> Proposal {
        Proposal(
            request: try readRequest(), payload: try readBytes(limit: LogLimits.payloadBytes),
            votes: try readOptional { reader throws(CodingError) in try reader.readVoteTable() })
    }
    private mutating func readAppend() throws(CodingError) -> Append {
        let append = Append(
            epoch: try read(), firstIndex: try read(), previousChain: try read(),
            items: try readList(minimum: 19) { reader throws(CodingError) in
                try reader.readBool() ? .proposal(try reader.readProposal()) : .delivered(try reader.readRequest())
            })
        guard append.firstIndex <= UInt64(Int64.max) else { throw .outOfRange("an entry's index") }
        return append
    }
}
