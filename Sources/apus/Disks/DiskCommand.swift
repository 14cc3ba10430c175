import ArgumentParser
import ClusterAPI
import ClusterModel
import NodeClient

struct DiskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk", abstract: "Disks of the SAN that all nodes see.",
        discussion: """
            EXAMPLES
              apus disk list
              apus disk init naa.6001405abcdef --label csv1
            """,
        subcommands: [List.self, Initialize.self])

    struct List: NodeQuestion {
        static let configuration = CommandConfiguration(
            abstract: "Shared disks, what is on them and how much room is left.",
            discussion: """
                EXAMPLES
                  apus disk list
                  apus disk list --extents     also show which machine's disk lies where
                """)
        @OptionGroup var connection: ConnectionOptions
        @Flag(help: "Show the extents that machines use.") var extents = false

        func run(asking client: NodeClient) async throws {
            let disks = try await client.disks()
            try show(disks) { Self.text(disks) + (extents ? "\n\n" + Self.extentText(disks) : "") }
        }

        static func text(_ disks: [SharedDiskStatus]) -> String {
            var table = Table(">LUN", "DISK", ">SIZE", "CONTENT", ">FREE", "PRODUCT", "SERIAL")
            for disk in disks {
                table.add(
                    String(disk.lun), disk.id.rawValue, Units.bytes(disk.byteCount), content(disk.content),
                    disk.freeByteCount.map(Units.bytes), "\(disk.vendor) \(disk.product)", disk.serial)
            }
            return table.text(none: "No shared disk is visible. Check the SAN settings in /etc/apus/node.yaml.")
        }

        static func extentText(_ disks: [SharedDiskStatus]) -> String {
            var table = Table("EXTENT", "VOLUME", ">SIZE", ">OFFSET")
            for disk in disks {
                for extent in disk.extents.sorted(by: { $0.extent.byteOffset < $1.extent.byteOffset }) {
                    table.add(
                        extent.name, label(disk), Units.bytes(extent.extent.byteCount), Units.bytes(extent.extent.byteOffset))
                }
            }
            return table.text(none: "No machine uses any of them.")
        }

        private static func label(_ disk: SharedDiskStatus) -> String {
            if case .clusterSharedVolume(_, let label) = disk.content { label } else { disk.id.rawValue }
        }

        private static func content(_ content: DiskContent) -> String {
            switch content {
            case .empty: "empty"
            case .clusterSharedVolume(_, let label): "volume \(label)"
            // A witness names its cluster; called foreign, the one of this cluster would look like somebody's data.
            case .foreign(let what): what.hasPrefix("witness disk") ? what : "foreign: \(what)"
            case .damaged(let what): "damaged: \(what)"
            }
        }
    }

    struct Initialize: NodeQuestion {
        static let configuration = CommandConfiguration(
            commandName: "init", abstract: "Make a disk a Cluster Shared Volume, ready for machines.",
            discussion: """
                A disk that carries anything else is refused. With --force its content is destroyed; look at `apus disk list` twice \
                before you use it.

                EXAMPLES
                  apus disk init naa.6001405abcdef --label csv1
                  apus disk init naa.6001405abcdef --label csv1 --force
                """)
        @Argument(help: "The disk, as `apus disk list` names it.", completion: Completions.disks) var disk: String
        @Option(help: "How the volume will be called, for instance csv1.") var label: String
        @Flag(help: "Destroy what is on the disk.") var force = false
        @OptionGroup var connection: ConnectionOptions

        func validate() throws {
            if disk.isEmpty || label.isEmpty { throw ValidationError("Neither the disk nor the label may be empty.") }
        }

        func run(asking client: NodeClient) async throws {
            let status = try await client.initializeDisk(InitializeDiskRequest(disk: DiskID(disk), label: label, force: force))
            try show(status) { "\(status.id) is now the volume \(label), \(Units.bytes(status.freeByteCount ?? 0)) free." }
        }
    }
}
