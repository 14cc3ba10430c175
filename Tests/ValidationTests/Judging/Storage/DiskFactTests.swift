import ClusterModel
import Foundation
import Testing

@testable import Validation

/// Two nodes that see the same empty disks.
enum GoodDisks {
    static let (n1, n2) = (NodeName(unchecked: "n1"), NodeName(unchecked: "n2"))
    static func id(_ lun: Int) -> DiskID { DiskID("t10.APUSLAB\(lun)") }

    static func disk(_ lun: Int, _ byteCount: UInt64 = 8 << 30) -> DiskFacts {
        var disk = DiskFacts(path: "target/\(lun)")
        disk.id = id(lun)
        disk.lun = lun
        disk.serial = "S\(lun)"
        disk.byteCount = byteCount
        disk.transport = "iscsi"
        disk.content = .empty
        return disk
    }

    static func facts(
        _ first: [DiskFacts] = [disk(1, 64 << 20), disk(2)], _ second: [DiskFacts] = [disk(1, 64 << 20), disk(2)],
        change: (inout CollectedFacts) -> Void = { _ in }
    ) -> CollectedFacts {
        var facts = CollectedFacts(subject: ValidationSubject(nodes: [n1, n2]), inventories: [:])
        for (node, disks) in [(n1, first), (n2, second)] {
            var inventory = NodeInventory(node: node, collectedAt: WallTime(milliseconds: 0))
            inventory.storage.disks = disks
            facts.inventories[node] = inventory
        }
        change(&facts)
        return facts
    }

    static func with(_ lun: Int, _ change: (inout DiskFacts) -> Void) -> DiskFacts {
        var disk = disk(lun)
        change(&disk)
        return disk
    }

    static func result(_ test: ValidationTest, _ facts: CollectedFacts) throws -> TestResult {
        TestResult(test, try #require(FactJudges.judge(test, from: facts)), milliseconds: 0)
    }
}

@Suite("Judges of the lists of disks")
struct DiskFactTests {
    typealias Good = GoodDisks

    @Test(
        "Good disks pass",
        arguments: [
            StorageCatalogue.allDisks, StorageCatalogue.sharedDisks, StorageCatalogue.foreignContent, StorageCatalogue.space,
            StorageCatalogue.witnessSize,
        ])
    func good(test: ValidationTest) throws {
        let result = try Good.result(test, Good.facts())
        #expect(result.verdict == .pass && result.headline == nil, "\(result.findings)")
    }

    @Test("A LUN that one node misses")
    func missing() throws {
        let result = try Good.result(StorageCatalogue.sharedDisks, Good.facts(change: { $0.inventories[Good.n2]?.storage.disks.removeLast() }))
        #expect(result.complaints.map(\.subject) == [.disk(Good.id(2), node: Good.n2)])
        #expect(result.verdict == .failure && result.headline == "n2 does not see LUN 2")
        #expect(result.complaints.first?.cure?.contains("Give n2 access to LUN 2") == true)
    }

    @Test("A node whose SAN does not answer is told once, and not as one that misses every disk")
    func silentSAN() throws {
        let facts = Good.facts([Good.disk(2)], []) { facts in
            facts.inventories[Good.n2]?.unreadable = [UnreadableFact("disks of the SAN", reason: "No answer.")]
        }
        #expect(try Good.result(StorageCatalogue.sharedDisks, facts).verdict == .pass)
        let result = try Good.result(StorageCatalogue.allDisks, facts)
        #expect(result.complaints.map(\.subject) == [.node(Good.n2)] && result.headline == "n2 cannot list the disks of the SAN")
    }

    @Test("No shared disk, and one disk under two numbers")
    func unusual() throws {
        #expect(try Good.result(StorageCatalogue.sharedDisks, Good.facts([], [])).verdict == .warning)
        let twice = [Good.disk(2), Good.with(3) { $0.id = Good.id(2) }]
        let result = try Good.result(StorageCatalogue.sharedDisks, Good.facts(twice, twice))
        #expect(result.verdict == .failure && result.complaints[0].reason.contains("LUN 2 and LUN 3"))
    }

    @Test("Something of others is told, and is worse when it was named to be written to")
    func foreign() throws {
        let foreign = Good.with(2) { $0.content = .foreign("ext4 file system") }
        let facts = Good.facts([Good.disk(1), foreign], [Good.disk(1), foreign])
        let result = try Good.result(StorageCatalogue.foreignContent, facts)
        #expect(result.complaints.map(\.subject) == [.disk(Good.id(2))] && result.verdict == .warning)
        #expect(result.complaints[0].reason.contains("ext4 file system") && result.complaints[0].cure?.contains("--force") == true)
        var named = facts
        named.subject.namedDisks = [Good.id(2)]
        let worse = try Good.result(StorageCatalogue.foreignContent, named)
        #expect(worse.verdict == .failure && worse.complaints[0].reason.contains("nothing was written to it"))
    }

    @Test("Nodes that do not agree on what a disk carries do not see the same disk")
    func disagreement() throws {
        let facts = Good.facts([Good.disk(2)], [Good.with(2) { $0.content = .foreign("XFS file system") }])
        let result = try Good.result(StorageCatalogue.foreignContent, facts)
        #expect(result.verdict == .failure && result.complaints[0].reason.contains("n1: empty; n2: XFS file system"))
    }

    @Test("The cluster's own witness is nothing of others")
    func ownWitness() throws {
        let witness = Good.with(1) { $0.content = .foreign("witness disk of the cluster prod (A-B)") }
        let facts = Good.facts([witness], [witness]) { $0.subject.cluster = ClusterName(unchecked: "prod") }
        #expect(try Good.result(StorageCatalogue.foreignContent, facts).verdict == .pass)
        #expect(try Good.result(StorageCatalogue.witnessSize, facts).verdict == .pass)
        #expect(try Good.result(StorageCatalogue.foreignContent, Good.facts([witness], [witness])).verdict == .warning)
    }

    @Test("Room on a volume", arguments: [(UInt64(4) << 30, Verdict.pass), (500 << 20, .warning), (10 << 20, .failure), (0, .failure)])
    func room(free: UInt64, expected: Verdict) throws {
        let volume = Good.with(2) {
            $0.content = .clusterSharedVolume(id: UUID(), label: "csv1")
            $0.freeByteCount = free
        }
        #expect(try Good.result(StorageCatalogue.space, Good.facts([volume], [volume])).verdict == expected)
    }

    @Test("Room on a share", arguments: [(UInt64?.some(4 << 30), Verdict.pass), (500 << 20, .warning), (0, .failure), (nil, .warning)])
    func shareRoom(free: UInt64?, expected: Verdict) throws {
        let facts = Good.facts([], []) { facts in
            facts.subject.shares = ["/mnt"]
            facts.inventories[Good.n1]?.storage.shares = [
                ShareFacts(path: "/mnt", kind: "nfs4", source: "s:/e", options: [], freeBytes: free)
            ]
        }
        #expect(try Good.result(StorageCatalogue.space, facts).verdict == expected)
    }

    @Test("A witness that is too small, or is something else already", arguments: [0, 8 << 20, (25 << 20) - 1] as [UInt64])
    func witness(byteCount: UInt64) throws {
        let small = Good.disk(1, byteCount)
        let result = try Good.result(StorageCatalogue.witnessSize, Good.facts([small, Good.disk(2)], [small, Good.disk(2)]))
        #expect(result.verdict == .failure && result.headline == "LUN 1 is too small for a witness")
        #expect(result.complaints[0].cure?.contains("--witness disk:ID") == true)
    }

    @Test("Without a disk two nodes have no witness, three need none")
    func noWitness() throws {
        #expect(try Good.result(StorageCatalogue.witnessSize, Good.facts([], [])).verdict == .warning)
        let three = Good.facts([], []) { $0.subject.nodes.append(NodeName(unchecked: "n3")) }
        #expect(try Good.result(StorageCatalogue.witnessSize, three).findings.contains { $0.verdict == .pass })
    }
}

/// Goal: no disk that anybody needs is ever written to.
@Suite("Disks that may be written to")
struct TestableDiskTests {
    typealias Good = GoodDisks

    @Test("Only what was named or is empty where all such were given, and all nodes see")
    func chosen() {
        #expect(Good.facts().testableDisks(named: []).isEmpty)
        #expect(Good.facts().testableDisks(named: [Good.id(2), Good.id(9)]) == [Good.id(2)])
        #expect(Good.facts().testableDisks(named: [], allEmpty: true) == [Good.id(1), Good.id(2)])
        #expect(Good.facts([Good.disk(1), Good.disk(2)], [Good.disk(1)]).testableDisks(named: [Good.id(2)], allEmpty: true) == [Good.id(1)])
    }

    typealias Change = @Sendable (inout DiskFacts) -> Void
    static let unfit: [(String, Change)] = [
        ("somebody's data", { $0.content = .foreign("data of an unknown kind") }),
        ("damaged", { $0.content = .damaged("both tables are unreadable") }),
        ("not read", { $0.content = nil }),
        ("mounted", { $0.usedBy = "mounted: /dev/sdb1" }),
        ("machines", { $0.usedBy = "2 disks of virtual machines" }),
        ("too small", { $0.byteCount = 31 << 20 }),
        ("no size", { $0.byteCount = nil }),
        ("local", { $0.transport = "local" }),
        ("no identity", { $0.id = nil }),
    ]

    static let unfitNames: [String] = unfit.map { $0.0 }

    @Test("What is never written to, even when named", arguments: unfitNames)
    func never(what: String) throws {
        let change = try #require(Self.unfit.first { $0.0 == what }).1
        // On one of the two nodes is enough.
        let facts = Good.facts([Good.with(2, change)], [what == "too small" || what == "no size" ? Good.with(2, change) : Good.disk(2)])
        #expect(facts.testableDisks(named: [Good.id(2)], allEmpty: true).isEmpty)
        #expect(facts.obstacle(to: Good.id(2)) != nil)
    }

    @Test("A volume may be written to when it is named and no cluster runs; not because all empty disks were given")
    func volume() {
        let volume = Good.with(2) { $0.content = .clusterSharedVolume(id: UUID(uuidString: "00000000-0000-0000-0000-000000000001")!, label: "v") }
        var facts = Good.facts([volume], [volume])
        #expect(facts.testableDisks(named: [], allEmpty: true).isEmpty)
        #expect(facts.testableDisks(named: [Good.id(2)]) == [Good.id(2)])
        facts.subject.cluster = ClusterName(unchecked: "prod")
        #expect(facts.testableDisks(named: [Good.id(2)]).isEmpty)
    }

    @Test("Two disks with one identity are not written to")
    func doubles() {
        let twice = [Good.disk(2), Good.with(3) { $0.id = Good.id(2) }]
        #expect(Good.facts(twice, twice).testableDisks(named: [Good.id(2)], allEmpty: true).isEmpty)
        #expect(Good.facts(twice, twice).obstacle(to: Good.id(7))?.contains("No node sees") == true)
    }
}
