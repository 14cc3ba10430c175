import ClusterModel
import Foundation
import Testing

@testable import Validation

/// A cluster of two nodes with a witness, a volume and a machine. Each test breaks one thing and expects the finding about it.
@Suite struct ClusterJudgeTests {
    private static let n1 = NodeName(unchecked: "n1")
    private static let n2 = NodeName(unchecked: "n2")
    private static let now = GoodNodes.now
    private static let volume = UUID()
    private static let disk = DiskID("naa.2")

    private static var machine: VirtualMachine {
        VirtualMachine(
            definition: VMDefinition(
                name: VMName(unchecked: "web1"), id: UUID(uuidString: "11111111-0000-4000-8000-000000000000") ?? UUID(), memoryMiB: 2_048,
                vcpus: 1, cpuModel: "Nehalem", machineType: "pc-q35-7.2", firmware: .bios, disks: [], interfaces: []),
            extents: ["system": Extent(disk: disk, byteOffset: 1 << 20, byteCount: 1 << 20)], firmwareVariables: nil,
            ownershipSlot: OwnershipSlot(disk: disk, index: 0))
    }

    private static func member() -> MemberEvidence {
        var member = MemberEvidence()
        member.index = 40
        member.digest = "00ff"
        member.isOpen = true
        member.standing = "Changes are accepted."
        member.quorum.model = .nodeAndDiskMajority
        member.quorum.recommended = .nodeAndDiskMajority
        member.quorum.votesPresent = 3
        member.quorum.votesNeeded = 2
        member.quorum.votesTotal = 3
        member.quorum.mayFailAtOnce = 1
        member.quorum.tolerance = "One more node, or the witness, may fail."
        member.witness = .init(witness: .disk(id: DiskID("naa.1")), condition: .present, votes: 1, holder: n1, problem: nil)
        member.nodes = [n1, n2].map { name in
            .init(
                name: name, presence: .up, service: .active, votes: 1, isPresent: true,
                certificate: .init(
                    serial: "s-\(name)", fingerprint: "f", notAfter: WallTime(milliseconds: now.rawValue + 400 * 86_400_000)),
                isRevoked: false)
        }
        member.machines = [.init(machine: machine, owner: n1, epoch: 3, desired: .running, problem: nil)]
        var line = MemberEvidence.VolumeLine(disk: disk, id: volume, label: "csv1")
        line.content = .clusterSharedVolume(id: volume, label: "csv1")
        line.extents = [NamedExtent(name: "web1/system", extent: Extent(disk: disk, byteOffset: 1 << 20, byteCount: 1 << 20))]
        line.records = [OwnershipRecord(vmID: machine.definition.id, owner: n1, epoch: 3)]
        member.volumes = [line]
        member.authority = "a"
        member.ownAuthority = "a"
        return member
    }

    private static func good() -> ClusterEvidence {
        var first = member()
        first.local = [.init(name: machine.name, state: .running, note: nil, missingFiles: [])]
        first.ownCertificate = first.nodes[0].certificate
        var second = member()
        second.ownCertificate = second.nodes[1].certificate
        return ClusterEvidence(nodes: [n1, n2], members: [n1: first, n2: second])
    }

    private static func facts() -> CollectedFacts {
        var inventories: [NodeName: NodeInventory] = [:]
        for name in [n1, n2] {
            var node = GoodNodes.inventory(name.rawValue)
            node.storage.disks[0].id = disk
            node.hypervisor.machineTypes = ["pc-q35-7.2"]
            node.hypervisor.cpuModels = ["Nehalem"]
            node.hardware.memory.availableBytes = 8 << 30
            inventories[name] = node
        }
        return CollectedFacts(
            subject: ValidationSubject(nodes: [n1, n2], cluster: ClusterName(unchecked: "prod"), hasWitness: true), inventories: inventories
        )
    }

    private static func outcomes(_ evidence: ClusterEvidence, _ facts: CollectedFacts, witness: UInt64? = 40) -> [String: TestOutcome] {
        [
            "quorum": MembershipJudges.quorum(evidence), "nodes": MembershipJudges.nodes(evidence),
            "configuration": MembershipJudges.configuration(evidence, witnessIndex: witness),
            "certificates": MembershipJudges.certificates(evidence, now: now), "fences": MembershipJudges.fences(evidence, now: now),
            "roles": MachineJudges.roles(evidence), "resources": MachineJudges.resources(evidence, facts),
            "policies": MachineJudges.policies(evidence, facts), "capacity": MachineJudges.capacity(evidence, facts),
            "volumes": MachineJudges.volumes(n1, evidence.members[n1] ?? MemberEvidence()),
        ]
    }

    /// Those findings of all tests that do not pass: `test verdict`.
    private static func complaints(_ outcomes: [String: TestOutcome]) -> [String] {
        outcomes.flatMap { name, outcome in outcome.findings.filter { $0.verdict > .pass }.map { "\(name) \($0.verdict.rawValue)" } }
            .sorted()
    }

    @Test func aHealthyClusterPasses() {
        #expect(Self.complaints(Self.outcomes(Self.good(), Self.facts())).isEmpty)
        #expect(Self.outcomes(Self.good(), Self.facts()).values.allSatisfy { $0.headline == nil && !$0.findings.isEmpty })
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var expected: [String]
        var words: String
        var damage: @Sendable (inout ClusterEvidence, inout CollectedFacts) -> Void
        init(
            _ description: String, _ expected: [String], _ words: String,
            _ damage: @escaping @Sendable (inout ClusterEvidence, inout CollectedFacts) -> Void
        ) {
            testDescription = description
            self.expected = expected
            self.words = words
            self.damage = damage
        }
    }

    /// The same to what every member says.
    private static func everywhere(_ evidence: inout ClusterEvidence, _ change: (inout MemberEvidence) -> Void) {
        for node in evidence.nodes { if evidence.members[node] != nil { change(&evidence.members[node, default: MemberEvidence()]) } }
    }

    static let faults: [Fault] = [
        Fault("another configuration", ["configuration failure"], "another one than that of n1") { evidence, _ in
            evidence.members[n2]?.digest = "beef"
        },
        Fault("a member behind", ["configuration warning"], "up to change 39") { evidence, _ in evidence.members[n2]?.index = 39 },
        Fault("a fenced node", ["nodes failure"], "n2 is down") { evidence, _ in everywhere(&evidence) { $0.nodes[1].presence = .fenced } },
        Fault("a lost node", ["fences failure", "nodes failure"], "nothing proves yet") { evidence, _ in
            everywhere(&evidence) { $0.nodes[1].presence = .lost }
        },
        Fault("a paused node", ["nodes warning"], "n2 is paused") { evidence, _ in everywhere(&evidence) { $0.nodes[1].service = .paused }
        },
        Fault("a silent member", ["nodes failure"], "does not say how it is") { evidence, _ in evidence.members[n2] = nil },
        Fault("a partition without quorum", ["quorum failure"], "n2 is in a partition without quorum") { evidence, _ in
            evidence.members[n2]?.isOpen = false
        },
        Fault("no quorum at all", ["quorum failure"], "No partition of the cluster has quorum") { evidence, _ in
            everywhere(&evidence) { $0.isOpen = false }
        },
        Fault("the wrong model", ["quorum warning"], "ask for Node and Disk Majority") { evidence, _ in
            everywhere(&evidence) { $0.quorum.model = .nodeMajority }
        },
        Fault("nothing more may fail", ["quorum warning"], "One more node") { evidence, _ in
            everywhere(&evidence) { $0.quorum.mayFailAtOnce = 0 }
        },
        Fault("another authority", ["certificates failure"], "another authority") { evidence, _ in evidence.members[n2]?.ownAuthority = "b"
        },
        Fault("an expired certificate", ["certificates failure"], "has expired") { evidence, _ in
            everywhere(&evidence) { $0.nodes[1].certificate.notAfter = WallTime(milliseconds: now.rawValue - 1) }
        },
        Fault("a certificate that ends soon", ["certificates warning"], "ends in 9 days") { evidence, _ in
            everywhere(&evidence) { $0.nodes[1].certificate.notAfter = WallTime(milliseconds: now.rawValue + 9 * 86_400_000 + 1) }
        },
        Fault("an old certificate is shown", ["certificates warning"], "shows certificate old") { evidence, _ in
            evidence.members[n2]?.ownCertificate?.serial = "old"
        },
        Fault("an operation that hangs", ["fences warning"], "20 minutes ago") { evidence, _ in
            everywhere(&evidence) {
                $0.operations = [
                    .init(
                        kind: .replaceWitness, subject: nil, driver: "n1", beganAt: WallTime(milliseconds: now.rawValue - 1_200_000),
                        step: "copying")
                ]
            }
        },
        Fault("a machine that crashed", ["roles failure"], "should run on n1 and is crashed") { evidence, _ in
            evidence.members[n1]?.local[0].state = .crashed
        },
        Fault("a machine that should be off", ["roles warning"], "should be off") { evidence, _ in
            everywhere(&evidence) { $0.machines[0].desired = .stopped }
        },
        Fault("an owner that knows nothing of its machine", ["roles failure"], "knows nothing of it") { evidence, _ in
            evidence.members[n1]?.local = []
        },
        Fault("a bridge that is missing everywhere", ["policies warning", "resources failure"], "bridge br7") { evidence, _ in
            everywhere(&evidence) { member in
                guard let mac = MACAddress("52:54:00:00:00:01") else { return }
                member.machines[0].machine.definition.interfaces = [VMInterface(name: "lan", mac: mac, bridge: "br7")]
            }
        },
        Fault("a processor model that one node lacks", ["policies warning"], "processor model Nehalem") { _, facts in
            facts.inventories[n2]?.hypervisor.cpuModels = ["qemu64"]
        },
        Fault("no room elsewhere", ["capacity warning"], "no memory for web1") { _, facts in
            facts.inventories[n2]?.hardware.memory.availableBytes = 1 << 30
        },
        Fault("room only where it cannot run", ["capacity warning"], "no memory for web1") { evidence, facts in
            everywhere(&evidence) { member in
                guard let mac = MACAddress("52:54:00:00:00:01") else { return }
                member.machines[0].machine.definition.interfaces = [VMInterface(name: "lan", mac: mac, bridge: "br7")]
            }
            let n3 = NodeName(unchecked: "n3")
            var other = GoodNodes.inventory("n3")
            if let like = facts.inventories[n1] {
                (other.hardware, other.hypervisor, other.storage) = (like.hardware, like.hypervisor, like.storage)
            }
            facts.inventories[n3] = other
            facts.subject.nodes.append(n3)
            for node in [n1, n2] { facts.inventories[node]?.network.bridges.append(BridgeFacts(name: "br7")) }
            facts.inventories[n2]?.hardware.memory.availableBytes = 1 << 30
        },
        Fault("an extent that is gone", ["volumes failure"], "has no extent web1/system") { evidence, _ in
            evidence.members[n1]?.volumes[0].extents = []
        },
        Fault("an extent elsewhere", ["volumes failure"], "lies elsewhere") { evidence, _ in
            evidence.members[n1]?.volumes[0].extents[0].extent.byteOffset = 9 << 20
        },
        Fault("an extent of no machine", ["volumes warning"], "old/system") { evidence, _ in
            evidence.members[n1]?.volumes[0].extents.append(
                NamedExtent(name: "old/system", extent: Extent(disk: disk, byteOffset: 4 << 20, byteCount: 1 << 20)))
        },
        Fault("a record ahead of the log", ["volumes failure"], "under epoch 9") { evidence, _ in
            evidence.members[n1]?.volumes[0].records[0].epoch = 9
        },
        Fault("a foreign disk", ["volumes failure"], "ext4") { evidence, _ in evidence.members[n1]?.volumes[0].content = .foreign("ext4") },
        Fault("a disk that is not seen", ["volumes failure"], "not to be seen") { evidence, _ in
            evidence.members[n1]?.volumes[0].content = nil
        },
    ]

    @Test("one thing is broken", arguments: faults)
    func fault(_ fault: Fault) {
        var evidence = Self.good()
        var facts = Self.facts()
        fault.damage(&evidence, &facts)
        let outcomes = Self.outcomes(evidence, facts)
        #expect(Self.complaints(outcomes) == fault.expected)
        let bad = outcomes.values.flatMap(\.findings).filter { $0.verdict > .pass }
        #expect(bad.contains { $0.reason.contains(fault.words) }, "\(bad.map(\.reason))")
        #expect(bad.allSatisfy { $0.cure != nil })
        // A failure says in the run's one line what it is.
        #expect(outcomes.values.allSatisfy { outcome in outcome.headline != nil || !outcome.findings.contains { $0.verdict == .failure } })
    }

    @Test func theWitnessIsBehind() {
        let outcome = MembershipJudges.configuration(Self.good(), witnessIndex: 37)
        #expect(outcome.findings.filter { $0.verdict == .warning }.map(\.subject.item) == ["witness"])
    }

    @Test(
        "the witness",
        arguments: [
            (WitnessReadQuestion.Evidence(milliseconds: 3, lastIndex: 40, committed: 40, defects: []), Verdict.pass),
            (.init(milliseconds: 3, lastIndex: 40, committed: 40, defects: ["Slot 1 is torn."]), .warning),
            (.init(milliseconds: 3, lastIndex: 0, committed: 0, defects: [], problem: "n2 sees no shared disk naa.1."), .failure),
        ])
    func witness(_ reading: WitnessReadQuestion.Evidence, _ expected: Verdict) {
        let outcome = MembershipJudges.witness(Self.n2, Self.good().members[Self.n2], reading)
        #expect(outcome.findings.map(\.verdict) == [expected])
        #expect(outcome.findings[0].subject == .node(Self.n2))
        #expect((outcome.headline == "n2 does not reach the witness") == (expected == .failure))
    }

    @Test func nobodyAnswers() {
        let nobody = ClusterEvidence(nodes: [Self.n1], members: [:])
        #expect(MembershipJudges.quorum(nobody).findings.map(\.verdict) == [.failure])
        #expect(MachineJudges.roles(nobody).findings.map(\.verdict) == [.failure])
    }
}
