import ClusterModel
import Foundation
import GRDB

/// The state up to an entry, as its one row.
struct StoredSnapshot: Hashable, Sendable {
    var index: UInt64
    var chain: UInt64
    var votes: VoteTable
    var state: [UInt8]

    /// Before the first: nobody has a vote.
    static let none = StoredSnapshot(index: 0, chain: 0, votes: VoteTable(version: 0, nodes: [:], witness: 0), state: [])

    private var checksum: UInt64 {
        var hash = DifferenceHash()
        hash.combine(index)
        hash.combine(chain)
        hash.combine(votes)
        hash.combine(state)
        return hash.value
    }

    func write(to database: Database) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO snapshot (id, last_index, chain, votes, state, checksum) VALUES (0, ?, ?, ?, ?, ?)",
            arguments: [stored(index), stored(chain), try encoded(votes), Data(state), stored(checksum)])
    }

    static func read(from database: Database) throws -> StoredSnapshot {
        let rows = try Row.fetchAll(database, sql: "SELECT last_index, chain, votes, state, checksum FROM snapshot")
        guard rows.count == 1, let row = rows.first else { throw Damage("\(rows.count) snapshots instead of one") }
        let snapshot = StoredSnapshot(
            index: try word(row[0]), chain: try word(row[1]), votes: try decodedVotes(try bytes(row[2])), state: try bytes(row[3]))
        guard snapshot.checksum == (try word(row[4])) else { throw Damage("the snapshot does not match its checksum") }
        return snapshot
    }
}

/// The entries after the snapshot, a row each.
enum StoredLog {
    static func append(_ entry: LogEntry, to database: Database) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO log (entry, epoch, request_node, request_incarnation, request_number, payload, votes, chain)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """)
        try statement.execute(arguments: [
            stored(entry.index), stored(entry.epoch), Int64(entry.request.node.rawValue), stored(entry.request.incarnation),
            stored(entry.request.number), Data(entry.payload), try entry.votes.map(encoded), stored(entry.chain),
        ])
    }

    static func entries(in database: Database) throws -> [LogEntry] {
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT entry, epoch, request_node, request_incarnation, request_number, payload, votes, chain FROM log ORDER BY entry
                """)
        var entries: [LogEntry] = []
        while let row = try rows.next() {
            guard let number = UInt16(exactly: try word(row[2])), let node = NodeID(rawValue: number) else {
                throw Damage("a request of the log names no node")
            }
            let votes: DatabaseValue = row[6]
            entries.append(
                LogEntry(
                    index: try word(row[0]), epoch: try word(row[1]),
                    request: RequestID(node: node, incarnation: try word(row[3]), number: try word(row[4])), payload: try bytes(row[5]),
                    votes: votes.isNull ? nil : try decodedVotes(try bytes(votes)), chain: try word(row[7])))
        }
        return entries
    }

    /// ``LogEntry/chain`` of the entries from one on, in order.
    static func chains(from index: UInt64, in database: Database) throws -> [UInt64] {
        try Row.fetchAll(database, sql: "SELECT chain FROM log WHERE entry >= ? ORDER BY entry", arguments: [stored(index)])
            .map { try word($0[0]) }
    }

    static func chain(of index: UInt64, in database: Database) throws -> UInt64? {
        try Row.fetchOne(database, sql: "SELECT chain FROM log WHERE entry = ?", arguments: [stored(index)]).map { try word($0[0]) }
    }

    /// The last vote table that an entry up to `index` brought; nil when none did.
    static func votes(upTo index: UInt64, in database: Database) throws -> VoteTable? {
        try Row.fetchOne(
            database, sql: "SELECT votes FROM log WHERE entry <= ? AND votes IS NOT NULL ORDER BY entry DESC LIMIT 1",
            arguments: [stored(index)]
        ).map { try decodedVotes(try bytes($0[0])) }
    }

    static func remove(upTo index: UInt64, in database: Database) throws {
        try database.execute(sql: "DELETE FROM log WHERE entry <= ?", arguments: [stored(index)])
    }

    static func remove(from index: UInt64, in database: Database) throws {
        try database.execute(sql: "DELETE FROM log WHERE entry >= ?", arguments: [stored(index)])
    }
}

private func encoded(_ votes: VoteTable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return try encoder.encode(votes)
}

private func decodedVotes(_ bytes: [UInt8]) throws -> VoteTable {
    do { return try JSONDecoder().decode(VoteTable.self, from: Data(bytes)) } catch {
        throw Damage("a vote table cannot be read: \(error)")
    }
}
