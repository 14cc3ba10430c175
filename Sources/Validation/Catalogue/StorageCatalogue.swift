/// Whether the disks obey the commands that decide which node may write.
public enum StorageCatalogue {
    public static let tests = [
        allDisks, sharedDisks, identity, foreignContent, space, witnessSize, latency, throughput, register, reserve, conflict, preempt,
        preemptAndAbort, clear, persistence, arbitration, defence, contest, failover, simultaneousFailover, coherence, fencedWrites, flush,
        atomicity, shareVisibility, shareLocks, shareSync, shareRename,
    ]

    public static let allDisks = ValidationTest(
        .storage, "all-disks", "All disks", proves: "The disks that each node sees are known, with what they carry.",
        scope: .whole, evidence: .facts,
        cure: "Check the access list of the array and the node's sessions to it.")
    public static let sharedDisks = ValidationTest(
        .storage, "shared-disks", "Potential cluster disks",
        proves: "All nodes see the same disks, each once, however many paths lead there.",
        scope: .whole, evidence: .facts,
        cure: "Give every node access to the same LUNs on the array.")
    public static let identity = ValidationTest(
        .storage, "identity", "Vital product data",
        proves: "Each disk names itself uniquely, and the same way on every node and every time.",
        scope: .whole,
        cure: "Give each LUN a serial number of its own on the array; a copied LUN needs a new one.")
    public static let foreignContent = ValidationTest(
        .storage, "foreign-content", "What the disks carry", proves: "No disk that the cluster could take carries anything of others.",
        scope: .whole, evidence: .facts,
        cure: "Use another disk, or remove what is on it if nobody needs it: apus disk init --force names the disk.")
    public static let space = ValidationTest(
        .storage, "space", "Space", proves: "The shared disks have room, and volumes are not nearly full.",
        scope: .whole, evidence: .facts,
        cure: "Enlarge the LUN, add a volume, or move machines away.")
    public static let witnessSize = ValidationTest(
        .storage, "witness-size", "Size of the witness", proves: "The disk that would become the witness is large enough.",
        scope: .whole, evidence: .facts,
        cure: "Enlarge the first shared disk, or choose another one with --witness disk:ID.")
    public static let latency = ValidationTest(
        .storage, "latency", "Latency of the disks", proves: "Each node reads and writes each disk in time.",
        scope: .eachDisk, needs: [.testableDisk], disturbance: .scratch,
        cure: "Compare the nodes: one that is slow has a path problem; when all are slow it is the array.")
    public static let throughput = ValidationTest(
        .storage, "throughput", "Throughput of the disks", proves: "How fast each node reads the disk is known.",
        scope: .eachDisk, needs: [.testableDisk], disturbance: .diskLoad,
        cure: "Compare link speed, paths and queue depth of the node that is slower.")

    // Persistent reservations, one primitive after the other (SPC-4 5.13, 6.15, 6.16).
    public static let register = reservation(
        "register", "Reservations: register", proves: "Each node can register its key, and all keys can be read.")
    public static let reserve = reservation(
        "reserve", "Reservations: reserve", proves: "A registered node can reserve the disk, and every node reads who holds it.")
    public static let conflict = reservation(
        "conflict", "Reservations: conflict", proves: "A node that is not registered cannot write: its write ends in a conflict.")
    public static let preempt = reservation(
        "preempt", "Reservations: preempt", proves: "A node can take the reservation away from another, which cannot write any more.")
    public static let preemptAndAbort = reservation(
        "preempt-and-abort", "Reservations: preempt and abort",
        proves: "What a node has under way ends when it loses the reservation: by PREEMPT AND ABORT, or PREEMPT and a reset of the unit.")
    public static let clear = reservation(
        "clear", "Reservations: clear", proves: "All keys can be removed, and the disk is free again.")
    public static let persistence = ValidationTest(
        .storage, "persistence", "Reservations: what survives", proves: "What becomes of keys and reservation at a new login is known.",
        scope: .eachDisk, needs: [.testableDisk], disturbance: .sessionLoss,
        cure: "Enable persistence through power loss (APTPL) on the array where it has that.")

    public static let arbitration = ValidationTest(
        .storage, "arbitration", "Arbitration", proves: "Each node in turn can win the disk.",
        scope: .eachDisk, needs: [.twoNodes, .testableDisk], disturbance: .scratch,
        cure: "The node that cannot win has no write access to the LUN; compare the access lists on the array.")
    public static let defence = ValidationTest(
        .storage, "defence", "Defence", proves: "The owner keeps the disk while others try to take it.",
        scope: .eachDisk, needs: [.twoNodes, .testableDisk], disturbance: .scratch,
        cure: "The array is too slow for the defender, or loses reservations; ask its maker about SCSI-3 reservations.")
    public static let contest = ValidationTest(
        .storage, "contest", "Several challengers", proves: "Of several nodes that try at once exactly one wins.",
        scope: .eachDisk, needs: [.twoNodes, .testableDisk], disturbance: .scratch,
        cure: "The array grants one reservation to two nodes: do not use it for a cluster.")
    public static let failover = ValidationTest(
        .storage, "failover", "Failover of a disk", proves: "When the owner is gone another node has the disk in time.",
        scope: .eachDisk, needs: [.twoNodes, .testableDisk], disturbance: .sessionLoss,
        cure: "Shorten the array's timeouts for lost sessions, and check the paths of the node that took too long.")
    public static let simultaneousFailover = ValidationTest(
        .storage, "simultaneous-failover", "Failover of all disks at once",
        proves: "All disks of a lost node are taken over together in time.",
        scope: .whole, needs: [.twoNodes, .twoTestableDisks], disturbance: .sessionLoss,
        cure: "The array serialises reservations; use fewer and larger LUNs, or ask its maker.", deadline: .seconds(180))
    public static let coherence = ValidationTest(
        .storage, "coherence", "No stale cache", proves: "What one node wrote every other reads at once.",
        scope: .eachDisk, needs: [.twoNodes, .testableDisk], disturbance: .scratch,
        cure: "Switch off caching between nodes and array that the nodes do not share.")
    public static let fencedWrites = ValidationTest(
        .storage, "fenced-writes", "Writes under way when a node is fenced", proves: "No write of a fenced node lands afterwards.",
        scope: .eachDisk, needs: [.twoNodes, .testableDisk], disturbance: .scratch,
        cure: "The array lets late writes through: do not use it for a cluster.")
    public static let flush = ValidationTest(
        .storage, "flush", "Flush and forced writes", proves: "The disk takes flushes and forced writes seriously.",
        scope: .eachDisk, needs: [.testableDisk], disturbance: .scratch,
        cure: "Give the array's write cache a battery, or switch the cache off.")
    public static let atomicity = ValidationTest(
        .storage, "atomicity", "Metadata blocks are written whole", proves: "A reader sees the old or the new block, never a mixture.",
        scope: .eachDisk, needs: [.twoNodes, .testableDisk], disturbance: .scratch,
        cure: "The array splits writes below its block size: do not use it for a cluster.")

    public static let shareVisibility = share(
        "share-visibility", "File share: visibility", proves: "What one node wrote and closed every other finds at once.",
        cure: "Mount the share with actimeo=0 or lookupcache=none, with the same options on all nodes.")
    public static let shareLocks = share(
        "share-locks", "File share: locks", proves: "A lock taken by one node keeps the others out, and ends with its holder.",
        cure: "Use NFS 4.1 or later, and mount it without nolock and local_lock.")
    public static let shareSync = share(
        "share-sync", "File share: flush", proves: "fsync returns only once the data is on the server.",
        cure: "Export the share with sync, and use a server with protected memory.")
    public static let shareRename = share(
        "share-rename", "File share: rename", proves: "A file is replaced as a whole: others see the old or the new one.",
        cure: "Use a server whose rename is atomic, as NFS and SMB 3 promise.")

    private static func reservation(_ name: String, _ title: String, proves: String) -> ValidationTest {
        ValidationTest(
            .storage, name, title, proves: proves, scope: .eachDisk, needs: [.twoNodes, .testableDisk], disturbance: .scratch,
            cure: "Enable SCSI-3 persistent reservations for the LUN on the array; without them it cannot be a cluster disk.")
    }

    private static func share(_ name: String, _ title: String, proves: String, cure: String) -> ValidationTest {
        ValidationTest(
            .storage, name, title, proves: proves, scope: .eachShare, needs: [.twoNodes, .fileShare], cure: cure)
    }
}
