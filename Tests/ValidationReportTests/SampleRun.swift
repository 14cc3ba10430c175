import ClusterModel
import Foundation
import Validation

/// A run as a real one would be: two to eight nodes, two disks, with or without things that are wrong.
struct SampleRun {
    var nodes: [NodeName]
    var disks: [DiskID]
    var isFaulty: Bool
    private var generator: SampleGenerator

    static func make(nodes: Int, faulty: Bool, seed: UInt64 = 1, selection: [String] = []) throws -> ValidationRun {
        var sample = SampleRun(
            nodes: (1...nodes).map { NodeName(unchecked: "node\($0)") },
            disks: [DiskID("naa.60014055f7a8c3b1d2e4f60718293a4b"), DiskID("naa.60014055f7a8c3b1d2e4f60718293a4c")], isFaulty: faulty,
            generator: SampleGenerator(state: seed))
        return try sample.run(selection)
    }

    private mutating func run(_ terms: [String]) throws -> ValidationRun {
        let selection = try TestSelection(terms)
        let subject = ValidationSubject(nodes: nodes, testableDisks: disks)
        let plan = ValidationPlan(selection.tests, for: subject)
        let results = selection.tests.map { test in
            if let need = plan.notApplicable[test.id] {
                return TestResult(test, .notApplicable(need.missing), milliseconds: 0)
            }
            return TestResult(test, outcome(of: test), milliseconds: Int(generator.next() % (test.evidence == .facts ? 9 : 4_000)))
        }
        return ValidationRun(
            id: UUID(uuid: (0x1a, 0x2b, 0x3c, 0x4d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, UInt8(nodes.count))), apusVersion: "0.4.0",
            began: WallTime(milliseconds: 1_795_000_000_000), milliseconds: 48_213, subject: subject,
            nodes: nodes.enumerated().map { index, node in
                ValidatedNode(
                    name: node, address: "10.20.0.\(11 + index)",
                    summary: "2 × Intel Xeon Gold 6338, 64 cores, 512 GiB, Debian 12, Linux 6.1.0-18, QEMU 7.2.11")
            },
            disks: [
                ValidatedDisk(id: disks[0], lun: 1, byteCount: 1 << 30, model: "PURE FlashArray", content: "Empty"),
                ValidatedDisk(id: disks[1], lun: isFaulty ? nil : 4, byteCount: 4 << 40, model: "PURE FlashArray", content: "Empty"),
            ],
            options: ValidationOptions(selection: selection.terms, skipped: selection.skipped, requestedBy: "root on node1"),
            results: results)
    }

    private mutating func outcome(of test: ValidationTest) -> TestOutcome {
        switch test.id {
        case NetworkCatalogue.latency.id: latency()
        case NetworkCatalogue.throughput.id: throughput()
        case NetworkCatalogue.udp.id: udp()
        case NetworkCatalogue.clockOffset.id: clock()
        case StorageCatalogue.sharedDisks.id: sharedDisks()
        case StorageCatalogue.latency.id: diskLatency()
        case SystemCatalogue.versions.id: versions()
        case InventoryCatalogue.adapters.id: adapters()
        case InventoryCatalogue.packages.id: packages()
        default: plain(test)
        }
    }

    /// What every test without a story of its own found.
    private func plain(_ test: ValidationTest) -> TestOutcome {
        switch test.scope {
        case .whole, .eachShare: TestOutcome([ValidationFinding(.pass, reason: "The nodes are alike.")])
        case .eachNode: TestOutcome(nodes.map { ValidationFinding(.pass, .node($0), reason: "As it should be.") })
        case .eachPair: TestOutcome(pairs.map { ValidationFinding(.pass, .pair($0, $1, network: Self.cluster), reason: "It passes.") })
        case .eachDisk:
            TestOutcome(
                disks.flatMap { disk in nodes.map { ValidationFinding(.pass, .disk(disk, node: $0), reason: "The disk did as it should.") }
                })
        }
    }

    private static let cluster = "cluster network 10.20.0.0/24"
    private static let migration = "migration network 10.30.0.0/24"
    private var pairs: [(NodeName, NodeName)] { nodes.flatMap { one in nodes.filter { $0 != one }.map { (one, $0) } } }

    private mutating func latency() -> TestOutcome {
        TestOutcome(
            pairs.map { from, to in
                let isSlow = isFaulty && to == nodes[1]
                let distribution = samples(around: isSlow ? 2.4 : 0.11, count: 500)
                return ValidationFinding(
                    isSlow ? .warning : .pass, .pair(from, to, network: Self.cluster),
                    reason: isSlow
                        ? "Half of the answers took more than 2 ms; to the other nodes it is 0.1 ms." : "Answers come fast and evenly.",
                    cure: isSlow
                        ? "Check cable and transceiver of eth0 on \(nodes[1]), and whether its switch port negotiated 10 Gbit/s." : nil,
                    figures: [
                        Figure("Median round trip", distribution.median, .milliseconds), Figure("Round trip", distribution, .milliseconds),
                    ])
            })
    }

    private mutating func throughput() -> TestOutcome {
        TestOutcome(
            pairs.map { from, to in
                let rate = 9.1e9 + Double(generator.next() % 300) * 1e6
                return ValidationFinding(
                    .pass, .pair(from, to, network: Self.migration), reason: "Close to the speed of the link.",
                    figures: [Figure("Throughput", rate, .bitsPerSecond)])
            })
    }

    private func udp() -> TestOutcome {
        TestOutcome(
            pairs.map { from, to in
                isFaulty && from == nodes[0] && to == nodes[1]
                    ? ValidationFinding(
                        .failure, .pair(from, to, network: Self.cluster),
                        reason: "None of 20 datagrams to UDP port 5405 arrived; the other way all 20 did.",
                        cure: "On \(to), allow UDP 5405 and 5406 from \(from): nft add rule inet filter input udp dport 5405-5406 accept")
                    : ValidationFinding(.pass, .pair(from, to, network: Self.cluster), reason: "All 20 datagrams arrived.")
            }, headline: isFaulty ? "cluster messages from \(nodes[0]) do not reach \(nodes[1])" : nil)
    }

    private func clock() -> TestOutcome {
        TestOutcome(
            pairs.filter { $0.0 < $0.1 }.map { from, to in
                let isOff = isFaulty && to == nodes[nodes.count - 1]
                return ValidationFinding(
                    isOff ? .failure : .pass, .pair(from, to),
                    reason: isOff ? "The clock of \(to) is 2 minutes 3 seconds ahead of \(from)." : "The clocks agree.",
                    cure: isOff
                        ? "On \(to): apt-get install chrony, name the servers that the others use in /etc/chrony/chrony.conf, chronyc makestep."
                        : nil,
                    figures: [Figure("Offset", isOff ? 123_000 : 0.4, .milliseconds)])
            }, headline: isFaulty ? "the clock of \(nodes[nodes.count - 1]) is 2 minutes off" : nil)
    }

    private func sharedDisks() -> TestOutcome {
        let blind = isFaulty ? Array(nodes.dropFirst().prefix(2)) : []
        return TestOutcome(
            disks.enumerated().flatMap { index, disk in
                nodes.map { node in
                    index == 1 && blind.contains(node)
                        ? ValidationFinding(
                            .failure, .disk(disk, node: node), reason: "\(node) does not see LUN 4, which \(nodes[0]) sees.",
                            cure:
                                "On the array, add the initiator iqn.2025-01.io.apus:\(node) to the access list of LUN 4, then validate again."
                        )
                        : ValidationFinding(.pass, .disk(disk, node: node), reason: "Seen once, by 2 paths.")
                }
            },
            headline: isFaulty ? "\(blind.map(\.rawValue).joined(separator: " and ")) do\(blind.count == 1 ? "es" : "") not see LUN 4" : nil
        )
    }

    private mutating func diskLatency() -> TestOutcome {
        TestOutcome(
            disks.flatMap { disk in
                nodes.map { node in
                    let read = samples(around: 0.35, count: 1_000)
                    let write = samples(around: isFaulty && node == nodes[0] ? 24 : 0.6, count: 1_000)
                    let isSlow = write.median > 10
                    return ValidationFinding(
                        isSlow ? .warning : .pass, .disk(disk, node: node),
                        reason: isSlow ? "Half of the writes took more than 20 ms; the other nodes need less than 1 ms." : "Fast enough.",
                        cure: isSlow
                            ? "Check the paths of \(node) with multipath -ll: it probably writes through the controller that does not own the LUN."
                            : nil,
                        figures: [
                            Figure("Median write", write.median, .milliseconds), Figure("Read latency", read, .milliseconds),
                            Figure("Write latency", write, .milliseconds),
                        ])
                }
            })
    }

    private func versions() -> TestOutcome {
        TestOutcome(
            nodes.map { node in
                let isOld = isFaulty && node == nodes[1]
                return ValidationFinding(
                    isOld ? .warning : .pass, .node(node),
                    reason: isOld
                        ? "QEMU 7.2.9, the others have 7.2.11. Machines move, but not every fix is on every node."
                        : "As on the other nodes.",
                    cure: isOld ? "Drain \(node), then apt-get update && apt-get install qemu-system-x86." : nil,
                    figures: [Figure("QEMU", isOld ? "7.2.9" : "7.2.11"), Figure("Corosync", "3.1.7"), Figure("Apus", "0.4.0")])
            })
    }

    private func adapters() -> TestOutcome {
        TestOutcome(
            tables: nodes.enumerated().map { index, node in
                FactTable(
                    "Network adapters", node: node,
                    columns: [
                        .init("Name"), .init("Driver"), .init("Speed", isNumber: true), .init("MTU", isNumber: true),
                        .init("Hardware address"), .init("Addresses"),
                    ],
                    rows: (0..<3).map { port in
                        [
                            "eth\(port)", "ice 6.1.0", "10 Gbit/s", port == 1 ? "9000" : "1500", "3c:ec:ef:0\(index):4a:0\(port)",
                            port < 2 ? "10.\(2 + port)0.0.\(11 + index)/24" : "",
                        ]
                    })
            })
    }

    private func packages() -> TestOutcome {
        TestOutcome(
            tables: [
                FactTable(
                    "Packages", columns: [.init("Package")] + nodes.map { .init($0.rawValue) },
                    rows: ["qemu-system-x86", "corosync", "open-iscsi", "chrony"].map { package in
                        [package] + nodes.map { isFaulty && $0 == nodes[1] && package == "qemu-system-x86" ? "7.2.9" : "7.2.11" }
                    })
            ])
    }

    /// Most near the middle, a few far above it, as latencies are.
    private mutating func samples(around middle: Double, count: Int) -> Distribution {
        let values = (0..<count).map { _ in
            let unit = Double(generator.next() >> 11) / Double(UInt64(1) << 53)
            return middle * (0.75 + 0.5 * unit + 0.02 / (1.002 - unit))
        }
        return Distribution(values) ?? Distribution([middle])!
    }
}

/// SplitMix64: the same figures for the same seed.
struct SampleGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
