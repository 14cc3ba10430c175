import ClusterModel
import Foundation
import GRDB

/// The one row that says how far this replica is: who it belongs to, what it promised, where its log begins and ends.
///
/// Much of it could be worked out from the other tables. It is kept to notice when one of those lost rows.
struct StoredPosition: Hashable, Sendable {
    var cluster: UUID
    var node: NodeID
    var memory: ReplicaMemory
    /// Rises with every synced batch; what ``SyncMark`` is compared with.
    var changes: UInt64
    var replica = ReplicaPosition()
    var committed: UInt64 = 0
    var snapshotIndex: UInt64 = 0

    private var checksum: UInt64 {
        var hash = DifferenceHash()
        withUnsafeBytes(of: cluster.uuid) { hash.combine($0) }
        hash.combine(UInt64(node.rawValue))
        hash.combine(Array(memory.rawValue.utf8))
        for word in [changes, replica.promised, replica.adopted, replica.lastIndex, replica.chain, committed, snapshotIndex] {
            hash.combine(word)
        }
        return hash.value
    }

    func write(to database: Database) throws {
        let statement = try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO position
                (id, cluster, node, memory, changes, promised, adopted, last_index, chain, committed, snapshot_index, checksum)
                VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        try statement.execute(arguments: [
            cluster.uuidString.lowercased(), Int64(node.rawValue), memory.rawValue, stored(changes), stored(replica.promised),
            stored(replica.adopted), stored(replica.lastIndex), stored(replica.chain), stored(committed), stored(snapshotIndex),
            stored(checksum),
        ])
    }

    /// - Throws: ``Damage`` when the row is not there, or not as it was written.
    static func read(from database: Database) throws -> StoredPosition {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT cluster, node, memory, changes, promised, adopted, last_index, chain, committed, snapshot_index, checksum
                FROM position
                """)
        guard rows.count == 1, let row = rows.first else { throw Damage("\(rows.count) positions instead of one") }
        guard let cluster = UUID(uuidString: try text(row[0])), let number = UInt16(exactly: try word(row[1])),
            let node = NodeID(rawValue: number), let memory = ReplicaMemory(rawValue: try text(row[2]))
        else { throw Damage("the position has values that nobody wrote") }
        let position = StoredPosition(
            cluster: cluster, node: node, memory: memory, changes: try word(row[3]),
            replica: ReplicaPosition(
                promised: try word(row[4]), adopted: try word(row[5]), lastIndex: try word(row[6]), chain: try word(row[7])),
            committed: try word(row[8]), snapshotIndex: try word(row[9]))
        guard position.checksum == (try word(row[10])) else { throw Damage("the position does not match its checksum") }
        return position
    }
}

/// Something in the database is not as it was written.
struct Damage: Error {
    var reason: String
    init(_ reason: String) { self.reason = reason }
}

/// SQLite's integers are signed; the bits are the same.
func stored(_ word: UInt64) -> Int64 { Int64(bitPattern: word) }

// GRDB's typed subscripts trap on a value of another type, and a damaged file may hold any.

func word(_ value: DatabaseValue) throws -> UInt64 {
    guard case .int64(let number) = value.storage else { throw Damage("a number is missing") }
    return UInt64(bitPattern: number)
}

func bytes(_ value: DatabaseValue) throws -> [UInt8] {
    guard case .blob(let data) = value.storage else { throw Damage("bytes are missing") }
    return Array(data)
}

func text(_ value: DatabaseValue) throws -> String {
    guard case .string(let text) = value.storage else { throw Damage("a text is missing") }
    return text
}
