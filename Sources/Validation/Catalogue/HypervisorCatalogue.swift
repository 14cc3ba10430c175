/// Whether virtual machines run on each node and move between all of them.
public enum HypervisorCatalogue {
    public static let tests = [
        acceleration, emulation, machineTypes, processorBaseline, hugepages, passthrough, liveMigration, quickMigration,
    ]

    public static let acceleration = ValidationTest(
        .hypervisor, "acceleration", "A guest starts", proves: "A guest really runs on each node with the acceleration it will use.",
        scope: .eachNode, disturbance: .guest,
        cure: "Enable virtualization in the firmware and load kvm_intel or kvm_amd.")
    public static let emulation = ValidationTest(
        .hypervisor, "emulation", "Nested or emulated", proves: "The node is real hardware, so that guests run at full speed.",
        scope: .whole, evidence: .facts,
        cure: "Use the node for tests only, or enable nested virtualization on the machine below it.")
    public static let machineTypes = ValidationTest(
        .hypervisor, "machine-types", "Machine types", proves: "There are machine types that every node's QEMU knows.",
        scope: .whole, evidence: .facts,
        cure: "Bring QEMU to the same version on all nodes.")
    public static let processorBaseline = ValidationTest(
        .hypervisor, "processor-baseline", "Common processor model",
        proves: "There is a processor model that every node can run; the best one is named.",
        scope: .whole, evidence: .facts,
        cure: "Give machines the model named in the report, and enable missing features in the firmware of the node.")
    public static let hugepages = ValidationTest(
        .hypervisor, "hugepages", "Hugepages", proves: "Hugepages are set up the same way on all nodes.",
        scope: .whole, evidence: .facts,
        cure: "Set vm.nr_hugepages or the kernel option hugepages= the same on all nodes.")
    public static let passthrough = ValidationTest(
        .hypervisor, "passthrough", "Device passthrough", proves: "What stands in the way of giving devices to guests is known.",
        scope: .whole, evidence: .facts,
        cure: "Enable the IOMMU in the firmware and with intel_iommu=on; machines with passed devices cannot move live.")
    public static let liveMigration = ValidationTest(
        .hypervisor, "live-migration", "Live migration", proves: "A guest moves live between every two nodes, both ways.",
        scope: .eachPair, needs: [.twoNodes], disturbance: .guest,
        cure: "Look at the step that failed; versions, processor model and migration network must fit on both nodes.",
        deadline: .seconds(180))
    public static let quickMigration = ValidationTest(
        .hypervisor, "quick-migration", "Quick migration", proves: "A guest moves by quick migration between every two nodes, both ways.",
        scope: .eachPair, needs: [.twoNodes], disturbance: .guest,
        cure: "Look at the step that failed; versions, processor model and migration network must fit on both nodes.",
        deadline: .seconds(180))
}
