import ArgumentParser
import ClusterModel
import Foundation
import NodeClient

struct MigrationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migration", abstract: "Migrations under way and those that ended.",
        discussion: """
            EXAMPLES
              apus migration list
              apus vm migrate web --to n2
            """,
        subcommands: [List.self])

    struct List: NodeQuestion {
        static let configuration = CommandConfiguration(
            abstract: "Migrations under way and the last hundred that ended, newest first.",
            discussion: """
                BLACKOUT is how long the guest was paused, GAP the longest silence its network peers saw.

                EXAMPLES
                  apus migration list
                  apus migration list --json | jq '.[0].record'
                """)
        @OptionGroup var connection: ConnectionOptions

        func run(asking client: NodeClient) async throws {
            let migrations = try await client.migrations()
            try show(migrations) { Self.text(migrations, now: Date()) }
        }

        static func text(_ migrations: [MigrationStatus], now: Date) -> String {
            var table = Table("MACHINE", "KIND", "FROM", "TO", "STATE", "STARTED", ">TOTAL", ">BLACKOUT", ">GAP", ">SENT")
            for migration in migrations {
                let record = migration.record
                table.add(
                    migration.order.vm.rawValue, migration.order.kind.rawValue, migration.source.rawValue,
                    migration.order.destination.rawValue, record?.outcome.rawValue ?? migration.progress.phase.rawValue,
                    record.map { "\(Units.milliseconds(max(0, now.timeIntervalSince($0.startedAt)) * 1_000)) ago" } ?? "now",
                    Units.milliseconds(record?.totalMilliseconds ?? migration.progress.elapsedMilliseconds),
                    record?.blackoutMilliseconds.map(Units.milliseconds), record?.visibleGapMilliseconds.map(Units.milliseconds),
                    Units.bytes(record?.transferredBytes ?? migration.progress.transferredBytes))
            }
            return table.text(none: "Nothing was migrated yet.")
        }
    }
}
