/// Whether every node reaches every other, on each network and both ways.
public enum NetworkCatalogue {
    public static let tests = [
        networks, sameSubnet, redundancy, duplicateAddresses, linkSpeed, names, udp, tcp, firewall, mtu, loss, latency, jitter, throughput,
        clockOffset, gratuitousARP, bridges,
    ]

    public static let networks = ValidationTest(
        .network, "networks", "Networks and their roles", proves: "Every node has an address on each network that the cluster uses.",
        scope: .whole, evidence: .facts,
        cure: "Give the node an address on that network, and write it into its node.yaml.")
    public static let sameSubnet = ValidationTest(
        .network, "same-subnet", "Same subnet", proves: "The nodes' addresses on a network are in one subnet, with the same prefix length.",
        scope: .whole, evidence: .facts, needs: [.twoNodes],
        cure: "Correct the address or the prefix length of the node that differs.")
    public static let redundancy = ValidationTest(
        .network, "redundancy", "More than one network", proves: "No single cable, adapter or switch cuts the nodes from each other.",
        scope: .whole, evidence: .facts, needs: [.twoNodes],
        cure: "Connect the nodes by a second network with its own switch, and name it as cluster2 in each node.yaml.")
    public static let duplicateAddresses = ValidationTest(
        .network, "duplicate-addresses", "Duplicate addresses", proves: "Nobody else on the network answers for an address of a node.",
        scope: .eachNode,
        cure: "Find the device with the hardware address shown and give it another address.")
    public static let linkSpeed = ValidationTest(
        .network, "link-speed", "Link speed", proves: "The adapters on one network have the same speed and run full duplex.",
        scope: .whole, evidence: .facts, needs: [.twoNodes],
        cure: "Check cable, transceiver and switch port of the slower adapter.")
    public static let names = ValidationTest(
        .network, "names", "Name resolution", proves: "Each node finds the address of every node by its name, and its name by the address.",
        scope: .eachNode, needs: [.twoNodes],
        cure: "Write all nodes into /etc/hosts on each node, or correct the name server.")
    public static let udp = ValidationTest(
        .network, "udp", "Cluster messages", proves: "UDP passes between every two nodes both ways as Corosync uses it.",
        scope: .eachPair, needs: [.twoNodes],
        cure: "Allow UDP ports 5405 and 5406 between the nodes in both directions.")
    public static let tcp = ValidationTest(
        .network, "tcp", "API and migration connections", proves: "Every node can open connections to every other for API and migration.",
        scope: .eachPair, needs: [.twoNodes],
        cure: "Allow TCP port 7060 between the nodes, and on the migration network the ports of net.ipv4.ip_local_port_range, both ways.")
    public static let firewall = ValidationTest(
        .network, "firewall", "Firewall", proves: "No packet filter drops what the nodes send to each other.",
        scope: .eachPair, needs: [.twoNodes],
        cure: "Add a rule that accepts the port from the other nodes, for instance with nft or firewall-cmd.")
    public static let mtu = ValidationTest(
        .network, "mtu", "Packet size", proves: "Packets as large as the adapters claim really pass between every two nodes.",
        scope: .eachPair, needs: [.twoNodes],
        cure: "Set the same MTU on all adapters and switch ports of the network.")
    public static let loss = ValidationTest(
        .network, "loss", "Packet loss", proves: "Packets arrive: no loss in a burst of some hundred.",
        scope: .eachPair, needs: [.twoNodes], disturbance: .networkLoad,
        cure: "Check cable, transceiver and the error counters of the switch port.")
    public static let latency = ValidationTest(
        .network, "latency", "Latency", proves: "An answer comes fast enough that Corosync never mistakes a node for lost.",
        scope: .eachPair, needs: [.twoNodes], disturbance: .networkLoad,
        cure: "Look for a slow or congested hop between the nodes; the cluster network should be one switch away.")
    public static let jitter = ValidationTest(
        .network, "jitter", "Jitter", proves: "Answers come evenly: no pauses that would delay the token.",
        scope: .eachPair, needs: [.twoNodes], disturbance: .networkLoad,
        cure: "Look for bursts of other traffic on the network, and for power saving of adapter and processor.")
    public static let throughput = ValidationTest(
        .network, "throughput", "Throughput", proves: "The migration network carries what its link speed promises.",
        scope: .eachPair, needs: [.twoNodes], disturbance: .networkLoad,
        cure: "Compare the link speed on both ends, and look for other traffic, bonding that does not balance, or a busy processor.")
    public static let clockOffset = ValidationTest(
        .network, "clock-offset", "Clock offset", proves: "The clocks of the nodes agree.",
        scope: .eachPair, needs: [.twoNodes],
        cure: "Let all nodes follow the same time servers with chrony; chronyc makestep corrects the clock at once.")
    public static let gratuitousARP = ValidationTest(
        .network, "gratuitous-arp", "Announcement of a moved address",
        proves: "The switch learns at once that a machine's address has moved to another node.",
        scope: .eachPair, needs: [.twoNodes], disturbance: .networkLoad,
        cure: "Allow gratuitous ARP and moving hardware addresses on the switch ports of the nodes.")
    public static let bridges = ValidationTest(
        .network, "bridges", "Bridges of the machines", proves: "A machine finds the same bridges and VLANs on every node.",
        scope: .whole, evidence: .facts,
        cure: "Create the bridge with the same name and VLANs on the node that lacks it.")
}
