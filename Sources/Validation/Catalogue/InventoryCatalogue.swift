/// What each node is made of. These tests list, and warn where nodes that should be alike are not.
public enum InventoryCatalogue {
    public static let tests = [
        firmware, processors, memory, numa, pciDevices, kernel, distribution, packages, services, adapters, hostBusAdapters,
        iscsiInitiators, disks, environment, timeSource, pendingReboot,
    ]

    public static let firmware = list(
        "firmware", "Firmware", proves: "The firmware of each node is known, and its version can be compared.",
        cure: "Bring the firmware of all nodes to the same version; a cluster is as stable as its oldest firmware.")
    public static let processors = list(
        "processors", "Processors", proves: "The processors of each node are known: model, cores, features.",
        cure: "Use nodes with processors of one vendor; machines do not move live between vendors.")
    public static let memory = list(
        "memory", "Memory", proves: "The nodes have comparable memory, so that one can take over what another ran.",
        cure: "Fit the smaller nodes with more memory, or keep enough of the larger ones free for a failover.")
    public static let numa = list(
        "numa", "NUMA nodes", proves: "The layout of processors and memory is known.",
        cure: "Fit memory evenly to all sockets, and use the same layout on all nodes.")
    public static let pciDevices = list(
        "pci-devices", "PCI devices", proves: "The devices of each node are known, and all of them have a driver that should.",
        cure: "Install the driver or firmware package of the device, or disable the device.")
    public static let kernel = list(
        "kernel", "Kernel", proves: "The nodes run the same kernel.",
        cure: "Update the nodes to the same kernel version and restart them one after the other.")
    public static let distribution = list(
        "distribution", "Distribution", proves: "The nodes run the same distribution in the same release.",
        cure: "Bring all nodes to the same release of the same distribution.")
    public static let packages = list(
        "packages", "Packages that matter", proves: "QEMU, Corosync and Apus are installed on each node.",
        cure: "Install the missing package on that node.")
    public static let services = list(
        "services", "Services", proves: "The services of each node and their states are known.",
        cure: "Look into the failed service with systemctl status.")
    public static let adapters = list(
        "network-adapters", "Network adapters", proves: "The network adapters of each node are known, with speed, driver and firmware.",
        cure: "Use the same driver on all nodes, and plug in the cable of an adapter that is meant to be used.")
    public static let hostBusAdapters = list(
        "host-bus-adapters", "Host bus adapters", proves: "The storage adapters of each node are known, with driver and ports.",
        cure: "Use the same adapters, firmware and drivers on all nodes.")
    public static let iscsiInitiators = list(
        "iscsi-initiators", "iSCSI initiators", proves: "Each node has an iSCSI initiator name of its own.",
        cure: "Give each node its own name: iscsi-iname makes one; then restart the node service.")
    public static let disks = list(
        "disks", "Disks", proves: "The disks of each node are known with their identities.",
        cure: "Check the zoning or the access list of the array for the node that lacks a disk.")
    public static let environment = list(
        "environment", "Environment", proves: "Settings that programs inherit are the same on each node: locale, time zone, proxies.",
        cure: "Set the same value on all nodes.")
    public static let timeSource = list(
        "time-source", "Time source", proves: "Each node takes its time from a known source.",
        cure: "Install chrony and name the same servers on all nodes.")
    public static let pendingReboot = list(
        "pending-reboot", "Pending restart", proves: "No node waits for a restart to finish an update.",
        cure: "Drain the node and restart it.")

    private static func list(_ name: String, _ title: String, proves: String, cure: String) -> ValidationTest {
        ValidationTest(.inventory, name, title, proves: proves, scope: .whole, evidence: .facts, cure: cure)
    }
}
