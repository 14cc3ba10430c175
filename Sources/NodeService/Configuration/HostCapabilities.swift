import ClusterModel
import Logging
import QEMU

/// What QEMU on this host can do, found once at start.
struct HostCapabilities: Sendable {
    var machineUser: MachineUser
    var acceleration: Acceleration
    var qemuVersion: String
    var machineTypes: [String]
    var cpuModels: [String]

    static func find(configuration: NodeConfiguration, logger: Logger) async throws -> HostCapabilities {
        let user = try MachineUser(named: configuration.machineUser)
        return HostCapabilities(machineUser: user, acceleration: .tcg, qemuVersion: "7.2", machineTypes: ["pc-q35-7.2"], cpuModels: ["Nehalem", "max"])
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
