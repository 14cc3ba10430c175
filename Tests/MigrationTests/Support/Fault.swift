import ClusterModel
import Foundation
import Lab
import Testing

/// Something that goes wrong at one end of a migration, or between them.
enum Fault: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case killSourceQEMU, killDestinationQEMU, killSourceService, killDestinationService
    case cutMigrationLink, cutClusterLink
    /// Both ends see their connections break, and may make new ones.
    case breakMigrationConnections
    case stopSourceQEMU, stopDestinationQEMU
    case fullDestinationDisk

    var testDescription: String { rawValue }

    func inject(_ stage: Stage, _ machine: MovingMachine, source: NodeName) async throws {
        let destination = other(source)
        switch self {
        case .killSourceQEMU: try signalQEMU(SIGKILL, machine, source)
        case .killDestinationQEMU: try signalQEMU(SIGKILL, machine, destination)
        case .stopSourceQEMU: try signalQEMU(SIGSTOP, machine, source)
        case .stopDestinationQEMU: try signalQEMU(SIGSTOP, machine, destination)
        case .killSourceService: try killService(stage, source)
        case .killDestinationService: try killService(stage, destination)
        case .cutMigrationLink: try await stage.node(destination).cut(.migration, isSilent: true)
        case .cutClusterLink: try await stage.node(destination).cut(.cluster, isSilent: true)
        case .breakMigrationConnections:
            let node = try stage.node(destination)
            let address = try #require(node.address(on: .migration))
            let result = try await node.exec(["ss", "-K", "--tcp", "src", address])
            try #require(result.isSuccess && result.output.contains(address), "\(result)")
        case .fullDestinationDisk:
            // The same files on a file system of their own, filled to the last byte.
            let fill = """
                set -e
                mkdir /run/apus/kept
                cp -a /var/lib/apus/. /run/apus/kept/
                mount -t tmpfs -o size=512k full /var/lib/apus
                cp -a /run/apus/kept/. /var/lib/apus/
                rm -r /run/apus/kept
                dd if=/dev/zero of=/var/lib/apus/filler bs=4k 2>/dev/null || true
                """
            let result = try await stage.node(destination).exec(["sh", "-c", fill])
            try #require(result.isSuccess, "\(result)")
        }
    }

    /// Takes away what can be taken away; processes that ended stay ended.
    func heal(_ stage: Stage, _ machine: MovingMachine, source: NodeName) async throws {
        let destination = other(source)
        switch self {
        case .killSourceQEMU, .killDestinationQEMU, .killSourceService, .killDestinationService, .breakMigrationConnections: break
        case .stopSourceQEMU: for process in try machine.processes(on: source) { kill(process, SIGCONT) }
        case .stopDestinationQEMU: for process in try machine.processes(on: destination) { kill(process, SIGCONT) }
        case .cutMigrationLink: try await stage.node(destination).restore(.migration)
        case .cutClusterLink: try await stage.node(destination).restore(.cluster)
        case .fullDestinationDisk:
            let result = try await stage.node(destination).exec(["umount", "/var/lib/apus"])
            try #require(result.isSuccess, "\(result)")
        }
    }

    private func signalQEMU(_ signal: Int32, _ machine: MovingMachine, _ node: NodeName) throws {
        let processes = try machine.processes(on: node)
        try #require(processes.count == 1, "\(node) has QEMU \(processes)")
        try #require(kill(processes[0], signal) == 0)
    }

    private func killService(_ stage: Stage, _ node: NodeName) throws {
        try #require(stage.node(node).signal(SIGKILL, processesNamed: "apusd") == 1)
    }
}

/// When in a migration something goes wrong.
enum Moment: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case preparing, firstPass, preSwitchover, committing, resuming, after

    var testDescription: String { rawValue }

    /// The phase in which it is held; nil when it is slowed down instead, or has ended.
    var held: String? {
        switch self {
        case .preparing: "preparing"
        case .preSwitchover: "pre-switchover"
        case .committing: "committing"
        case .resuming: "resuming"
        case .firstPass, .after: nil
        }
    }

    var phase: MigrationPhase {
        switch self {
        case .preparing: .preparing
        case .firstPass: .transferring
        case .preSwitchover: .preSwitchover
        case .committing: .committing
        case .resuming: .resuming
        case .after: .completed
        }
    }
}
