import ClusterModel
import Logging
import QEMU

/// What QEMU on this host can do, found once at start.
package struct HostCapabilities: Sendable {
    package var machineUser: MachineUser
    private let facts: QEMUFacts

    package var acceleration: Acceleration { facts.acceleration }
    package var evidence: String { facts.evidence }
    package var qemuVersion: String { facts.version }
    package var machineTypes: [String] { facts.machineTypes }
    package var cpuModels: [String] { facts.cpuModels }

    /// - Throws: When there is no machine user, or QEMU cannot be asked.
    static func find(configuration: NodeConfiguration, logger: Logger) async throws -> HostCapabilities {
        let user = try MachineUser(named: configuration.machineUser)
        let facts = try await QEMUFacts.discover(user: user, cache: configuration.directories.state + "/qemu-facts.json")
        logger.notice(
            "guests run with \(facts.acceleration.rawValue)", metadata: ["evidence": "\(facts.evidence)", "qemu": "\(facts.version)"])
        return HostCapabilities(machineUser: user, facts: facts)
    }

    private init(machineUser: MachineUser, facts: QEMUFacts) {
        self.machineUser = machineUser
        self.facts = facts
    }
}

extension VMDefinition {
    func tap(_ index: Int) -> TapDevice { TapDevice(machine: id, adapter: index) }
    /// By ``VMInterface/name``.
    var taps: [String: String] {
        var taps: [String: String] = [:]
        for (index, interface) in interfaces.enumerated() { taps[interface.name] = tap(index).name }
        return taps
    }
}
