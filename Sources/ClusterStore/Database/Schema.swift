import Foundation
import GRDB

/// What the tables are, and whether a database is ours to open.
enum Schema {
    /// "Apus", in the header of the file; file(1) and SQLite tell it (sqlite.org/pragma.html#pragma_application_id).
    static let applicationID = 0x4170_7573
    /// Rises with every migration below; in the header as `user_version`.
    static let version = 1

    enum Ownership {
        /// Nothing was ever completed in it.
        case blank
        case ours
    }

    static func configuration() -> Configuration {
        var configuration = Configuration()
        configuration.label = "configuration"
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase { database in
            for pragma in [
                // Before the first access: then no shared memory file is used, and nobody else reads or writes beside us.
                "locking_mode = EXCLUSIVE",
                // A bad sector under a mapped file would be a SIGBUS, not an error.
                "mmap_size = 0",
                "trusted_schema = OFF",
                "cell_size_check = ON",
                // Pages reach the log only with their commit.
                "cache_spill = OFF",
                // The store does it after it has answered; this is the second line of defence.
                "wal_autocheckpoint = 8000",
                // What a large snapshot leaves behind is given back.
                "journal_size_limit = 8388608",
            ] {
                // Some of them answer with a row.
                _ = try Row.fetchAll(database, sql: "PRAGMA \(pragma)")
            }
        }
        return configuration
    }

    /// Looks before anything is written: even the switch to a write-ahead log changes the header of a file.
    static func ownership(of database: Database, path: String) throws -> Ownership {
        let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        // The table of the migrations comes first, in a transaction of its own.
        let tables = try Row.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE tbl_name <> 'grdb_migrations'")
        if application == 0, found == 0, tables.isEmpty { return .blank }
        guard application == applicationID else {
            throw StoreError.foreign(path: path, what: "it is another program's database (application id \(application))")
        }
        guard found <= version else { throw StoreError.newer(path: path, version: found, known: version) }
        // Or the migrations would make them anew, without what was in them.
        guard found > 0, !tables.isEmpty else { throw Damage("its tables are gone") }
        return .ours
    }

    /// - Parameter first: The row a new database begins with, in the transaction that makes its tables.
    static func migrator(first: StoredPosition) -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE position (
                        id INTEGER PRIMARY KEY CHECK (id = 0),
                        cluster TEXT NOT NULL, node INTEGER NOT NULL, memory TEXT NOT NULL, changes INTEGER NOT NULL,
                        promised INTEGER NOT NULL, adopted INTEGER NOT NULL, last_index INTEGER NOT NULL, chain INTEGER NOT NULL,
                        committed INTEGER NOT NULL, snapshot_index INTEGER NOT NULL, checksum INTEGER NOT NULL
                    ) STRICT;
                    CREATE TABLE snapshot (
                        id INTEGER PRIMARY KEY CHECK (id = 0),
                        last_index INTEGER NOT NULL, chain INTEGER NOT NULL, votes BLOB NOT NULL, state BLOB NOT NULL,
                        checksum INTEGER NOT NULL
                    ) STRICT;
                    CREATE TABLE log (
                        entry INTEGER PRIMARY KEY,
                        epoch INTEGER NOT NULL, request_node INTEGER NOT NULL, request_incarnation INTEGER NOT NULL,
                        request_number INTEGER NOT NULL, payload BLOB NOT NULL, votes BLOB, chain INTEGER NOT NULL
                    ) STRICT;
                    """)
            try first.write(to: database)
            try StoredSnapshot.none.write(to: database)
            try setVersion(1, in: database)
        }
        return migrator
    }

    /// Both numbers stand in the header page, so they change with the transaction or not at all.
    private static func setVersion(_ version: Int, in database: Database) throws {
        try database.execute(sql: "PRAGMA application_id = \(applicationID)")
        try database.execute(sql: "PRAGMA user_version = \(version)")
    }
}
