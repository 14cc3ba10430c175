import ArgumentParser
import ClusterAPI
import ClusterModel
import Foundation
import NodeClient

struct VMCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vm", abstract: "Virtual machines: create, run and move them.",
        discussion: """
            EXAMPLES
              apus vm create web.yaml --image debian-12.raw
              apus vm start web
              apus vm list
              apus vm migrate web --to n2
            """,
        subcommands: [
            List.self, Show.self, CreateMachine.self, Start.self, Stop.self, Delete.self, MigrateMachine.self,
        ])

    struct List: NodeQuestion {
        static let configuration = CommandConfiguration(
            abstract: "Every machine of the cluster.",
            discussion: """
                EXAMPLES
                  apus vm list
                  apus vm list --json | jq -r '.[] | select(.owner == "n1") | .machine.definition.name'
                """)
        @OptionGroup var connection: ConnectionOptions

        func run(asking client: NodeClient) async throws {
            let machines = try await client.machines()
            try show(machines) { Self.text(machines) }
        }

        static func text(_ machines: [VMStatus]) -> String {
            var table = Table("NAME", "STATE", "NODE", ">MEMORY", ">VCPUS", ">DISKS", "NOTE")
            for status in machines {
                let definition = status.machine.definition
                table.add(
                    status.machine.name.rawValue, status.state.rawValue, status.owner?.rawValue,
                    Units.mebibytes(definition.memoryMiB), String(definition.vcpus),
                    Units.bytes(definition.disks.reduce(0) { $0.addingReportingOverflow($1.byteCount).partialValue }), status.note)
            }
            return table.text(none: "There are no machines. Make one with: apus vm create FILE")
        }
    }

    struct Show: NodeQuestion {
        static let configuration = CommandConfiguration(
            abstract: "All about one machine.",
            discussion: """
                EXAMPLE
                  apus vm show web
                """)
        @Argument(help: "The machine.", completion: Completions.machines, transform: parseVMName) var name: VMName
        @OptionGroup var connection: ConnectionOptions

        func run(asking client: NodeClient) async throws {
            let status = try await client.machine(name)
            try show(status) { Self.text(status) }
        }

        static func text(_ status: VMStatus) -> String {
            let definition = status.machine.definition
            var pairs: [(String, String?)] = [
                ("Name", definition.name.rawValue),
                ("State", status.state.rawValue),
                ("Note", status.note),
                ("Node", status.owner?.rawValue ?? "none"),
                ("Process", status.processID.map(String.init)),
                ("Ownership", status.epoch == 1 ? "changed once" : "changed \(status.epoch) times"),
                ("UUID", definition.id.uuidString.lowercased()),
                ("Memory", Units.mebibytes(definition.memoryMiB)),
                ("VCPUs", "\(definition.vcpus), \(definition.cpuModel)"),
                ("Machine type", definition.machineType),
                ("Firmware", firmware(definition.firmware)),
                ("Display", definition.vnc ? "VNC" : "none"),
                ("After a crash", definition.onCrash == .restart ? "started again" : "left stopped"),
            ]
            for disk in definition.disks {
                let place = status.machine.extents[disk.name].map { " on \($0.disk) at \(Units.bytes($0.byteOffset))" } ?? ""
                pairs.append(("Disk \(disk.name)", Units.bytes(disk.byteCount) + place))
            }
            for interface in definition.interfaces {
                pairs.append(("Interface \(interface.name)", "\(interface.mac) on \(interface.bridge)"))
            }
            return Table.list(pairs)
        }

        private static func firmware(_ firmware: Firmware) -> String {
            switch firmware {
            case .bios: "BIOS"
            case .uefi: "UEFI"
            case .kernel(let path, _, _): "kernel \(path)"
            }
        }
    }

    struct Start: NodeQuestion {
        static let configuration = CommandConfiguration(
            abstract: "Start a machine on the node that owns it.",
            discussion: """
                EXAMPLE
                  apus vm start web
                """)
        @Argument(help: "The machine.", completion: Completions.machines, transform: parseVMName) var name: VMName
        @OptionGroup var connection: ConnectionOptions

        func run(asking client: NodeClient) async throws {
            let status = try await client.startMachine(name)
            try show(status) { "\(name) is \(status.state.rawValue)\(status.owner.map { " on \($0)" } ?? "")." }
        }
    }

    struct Stop: NodeQuestion {
        static let configuration = CommandConfiguration(
            abstract: "Shut a machine down.",
            discussion: """
                Asks the guest to shut down and waits until it has. A guest that does not listen can be ended with --force, as if \
                its power cord were pulled.

                EXAMPLES
                  apus vm stop web
                  apus vm stop web --force
                """)
        @Argument(help: "The machine.", completion: Completions.machines, transform: parseVMName) var name: VMName
        @Flag(help: "End it at once; what the guest has not written is lost.") var force = false
        @OptionGroup var connection: ConnectionOptions

        func run(asking client: NodeClient) async throws {
            let status = try await client.stopMachine(name, force: force)
            try show(status) { "\(name) is \(status.state.rawValue)." }
        }
    }

    struct Delete: NodeQuestion {
        static let configuration = CommandConfiguration(
            abstract: "Delete a stopped machine and the content of its disks.",
            discussion: """
                Asks first when it runs on a terminal.

                EXAMPLES
                  apus vm delete web
                  apus vm delete web --yes
                """)
        @Argument(help: "The machine.", completion: Completions.machines, transform: parseVMName) var name: VMName
        @Flag(help: "Do not ask.") var yes = false
        @OptionGroup var connection: ConnectionOptions

        func run(asking client: NodeClient) async throws {
            guard yes || Console.confirm("Delete \(name) with everything on its disks?") else {
                throw CommandFailure(message: "\(name) was kept.")
            }
            try await client.deleteMachine(name)
            try show(["deleted": name.rawValue]) { "\(name) was deleted." }
        }
    }
}
