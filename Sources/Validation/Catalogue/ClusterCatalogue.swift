/// Whether a running cluster is whole, and what it could not survive.
public enum ClusterCatalogue {
    public static let tests = [
        quorum, witness, nodes, roles, resources, volumes, configuration, certificates, fences, policies, capacity,
    ]

    public static let quorum = test(
        "quorum", "Quorum settings", proves: "The quorum model fits the number of nodes, and the next loss is survived.",
        cure: "apus cluster quorum set --model auto lets the model follow the number of nodes.")
    public static let witness = ValidationTest(
        .cluster, "witness", "Witness", proves: "Every node reaches the witness.",
        scope: .eachNode, needs: [.runningCluster, .witness],
        cure: "Give the node access to the witness, or choose another witness.")
    public static let nodes = test(
        "nodes", "Nodes", proves: "Every node of the cluster is up and takes part.",
        cure: "Start the node, or evict it if it does not come back.")
    public static let roles = test(
        "roles", "Roles", proves: "Every clustered machine is in the state that it should be in.",
        cure: "Look at the machine's events, and start it or turn it off.")
    public static let resources = test(
        "resources", "Resources", proves: "Every machine's disks, bridges and files are there on its owner.",
        cure: "Bring back what the finding names, or change the machine's definition.")
    public static let volumes = ValidationTest(
        .cluster, "volumes", "Volumes",
        proves: "Partition table, extents and configuration of each volume agree, on the disk and in the log.",
        scope: .eachNode, needs: [.runningCluster],
        cure: "Do not write to the volume; repair it from the copy that the finding says is right.")
    public static let configuration = test(
        "configuration", "Replicated configuration", proves: "All nodes and the witness hold the same configuration.",
        cure: "Restart the node service of the node that differs; it copies the configuration anew.")
    public static let certificates = test(
        "certificates", "Certificates", proves: "All nodes trust the same authority, and no certificate ends soon.",
        cure: "Renew the certificate of the node named.")
    public static let fences = test(
        "fences", "Pending fences", proves: "No fencing waits to be carried out or confirmed.",
        cure: "Make sure that the node is off, then confirm it as the finding says.")
    public static let policies = test(
        "policies", "Policies that cannot be met", proves: "Every machine can go on elsewhere when its node is lost.",
        cure: "Give another node what it lacks, or add a node.")
    public static let capacity = test(
        "capacity", "Room for the loss of a node", proves: "When any one node is lost the others have memory for its machines.",
        cure: "Add memory or a node, or turn off machines that are not needed.")

    private static func test(_ name: String, _ title: String, proves: String, cure: String) -> ValidationTest {
        ValidationTest(.cluster, name, title, proves: proves, scope: .whole, needs: [.runningCluster], cure: cure)
    }
}
