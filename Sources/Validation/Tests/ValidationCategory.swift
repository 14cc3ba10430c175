/// What a group of tests looks at. In the order in which reports list them.
public enum ValidationCategory: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
    case inventory, network, storage, system, hypervisor, cluster

    public var title: String {
        switch self {
        case .inventory: "Inventory"
        case .network: "Network"
        case .storage: "Storage"
        case .system: "System Configuration"
        case .hypervisor: "Hypervisor"
        case .cluster: "Cluster Configuration"
        }
    }

    /// What all tests of the category together are for: a sentence.
    public var purpose: String {
        switch self {
        case .inventory: "What each node is made of, listed so that differences show."
        case .network: "Whether every node reaches every other on each network, as fast and as reliably as the cluster needs."
        case .storage: "Whether the disks obey the commands that decide which node may write."
        case .system: "Whether the operating systems of the nodes are alike and set up to carry a cluster."
        case .hypervisor: "Whether virtual machines run on each node and move between all of them."
        case .cluster: "Whether a running cluster is whole, and what it could not survive."
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.position < right.position }
    private var position: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
