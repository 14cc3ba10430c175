/// Whether the operating systems of the nodes are alike and set up to carry a cluster.
public enum SystemCatalogue {
    public static let tests = [
        architecture, versions, modules, limits, timeSynchronization, securityModules, memoryPolicy, watchdog, services, ports, users,
        permissions, entropy, certificates, crashDumps, space,
    ]

    public static let architecture = test(
        "architecture", "Processor architecture", proves: "All nodes have the same processor architecture.",
        cure: "Take the node that differs out of the list; machines cannot run on another architecture.")
    public static let versions = test(
        "versions", "Versions", proves: "QEMU, Corosync and Apus have the same or compatible versions on all nodes.",
        cure: "Update the older node, after draining it.")
    public static let modules = test(
        "kernel-modules", "Kernel modules", proves: "The kernel has what the node needs: KVM, tap and bridge, and a way to the disks.",
        cure: "Load the module with modprobe and name it in /etc/modules-load.d/apus.conf.")
    public static let limits = test(
        "limits", "Limits", proves: "Locked memory, real-time scheduling and open files are allowed as far as Corosync and QEMU need them.",
        cure: "Raise the limit in the service's unit with systemctl edit, and restart it.")
    public static let timeSynchronization = test(
        "time-synchronization", "Time synchronization", proves: "A service keeps the clock of each node right, and has done so recently.",
        cure: "Install and enable chrony: apt-get install chrony, systemctl enable --now chrony.")
    public static let securityModules = test(
        "security-modules", "SELinux and AppArmor", proves: "The security modules are in the same mode on all nodes.",
        cure: "Bring SELinux or AppArmor to the same mode and policy on all nodes.")
    public static let memoryPolicy = test(
        "memory-policy", "Swap and overcommit", proves: "A guest's memory is neither refused nor paged out by surprise.",
        cure: "Set vm.overcommit_memory and vm.swappiness in /etc/sysctl.d/ the same on all nodes.")
    public static let watchdog = test(
        "watchdog", "Watchdog", proves: "A watchdog restarts a node that hangs.",
        cure: "Load the driver of the hardware watchdog, or softdog, and let systemd use it: RuntimeWatchdogSec=10.")
    public static let services = test(
        "services", "Services", proves: "The services that the cluster needs are enabled, and none runs that stands in its way.",
        cure: "systemctl enable --now the missing one; disable --now the one in the way.")
    public static let ports = test(
        "ports", "Ports", proves: "The ports that the node will listen on are free.",
        cure: "Stop the program that holds the port, or choose another port in node.yaml.")
    public static let users = test(
        "users", "Users", proves: "The user that machines run as exists with the same numbers on all nodes.",
        cure: "Create the user with the same number on all nodes, and add it to the group kvm.")
    public static let permissions = test(
        "permissions", "Permissions",
        proves: "The node's folders, keys and devices belong to whom they should and are open to nobody else.",
        cure: "Correct owner and mode with chown and chmod as the finding says.")
    public static let entropy = test(
        "entropy", "Randomness", proves: "The kernel's random numbers are seeded, so that keys can be made.",
        cure: "Let the node boot to the end, or give the machine a virtio-rng device.")
    public static let certificates = test(
        "certificates", "Certificates", proves: "The node's certificate is valid, fits its key and does not end soon.",
        cure: "Renew it; if it has ended, let the node join again.")
    public static let crashDumps = test(
        "crash-dumps", "Crash dumps", proves: "A crash leaves a dump to look into, and does not keep the node from restarting.",
        cure: "Install kdump-tools, reserve memory with crashkernel=256M, and set kernel.panic = 10.")
    public static let space = test(
        "space", "Room in the file systems", proves: "State, runtime and log folders have room.",
        cure: "Free space in the file system shown, or move the folder.")

    private static func test(_ name: String, _ title: String, proves: String, cure: String) -> ValidationTest {
        ValidationTest(.system, name, title, proves: proves, scope: .whole, evidence: .facts, cure: cure)
    }
}
