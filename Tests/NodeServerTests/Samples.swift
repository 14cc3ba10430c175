import ClusterAPI
import ClusterModel
import Foundation
import Validation

/// A value of every type that crosses the API, with every optional member set. Dates are whole milliseconds, which is what JSON keeps.
enum Samples {
    static let n1 = NodeName(unchecked: "n1")
    static let n2 = NodeName(unchecked: "n2")
    static let web = VMName(unchecked: "web")
    static let id = UUID(uuidString: "6F1B2C3D-0000-4000-8000-123456789ABC") ?? UUID()
    static let mac = MACAddress("52:54:00:12:34:56")

    static let definition = VMDefinition(
        name: web, id: id, memoryMiB: 512, vcpus: 2, cpuModel: "Nehalem", machineType: "pc-q35-7.2",
        firmware: .kernel(path: "/boot/vmlinuz", initrd: "/boot/initrd", commandLine: "console=ttyS0"),
        disks: [VMDisk(name: "root", byteCount: 1 << 30)],
        interfaces: mac.map { [VMInterface(name: "lan", mac: $0, bridge: "br0")] } ?? [], vnc: true, onCrash: .stop)
    static let disk = DiskID("naa.6001405abcdef")
    static let extent = Extent(disk: disk, byteOffset: 1 << 20, byteCount: 1 << 30)
    static let machine = VirtualMachine(
        definition: definition, extents: ["root": extent], firmwareVariables: extent, ownershipSlot: OwnershipSlot(disk: disk, index: 3))
    static let vmStatus = VMStatus(
        machine: machine, state: .running, owner: n1, epoch: 7, processID: 4_711, note: "Restarted after its QEMU ended.")
    static let facts = NodeFacts(
        node: n1, apusVersion: "0.1.0", qemuVersion: "7.2.9", acceleration: .kvm, accelerationEvidence: "A guest ran.",
        machineTypes: ["pc-q35-7.2"],
        cpuModels: ["Nehalem"], memoryTotalMiB: 65_536, memoryAvailableMiB: 30_000, bridges: ["br0"], disks: [disk], machinesRunning: 4,
        acceptsPostCopy: true)
    static let nodeStatuses = [
        NodeStatus(name: n1, address: "10.71.0.1", facts: facts, problem: nil, isCoordinator: true),
        NodeStatus(name: n2, address: "10.71.0.2", facts: nil, problem: "No answer within 2 s.", isCoordinator: false),
    ]
    static let diskStatus = SharedDiskStatus(
        id: disk, lun: 1, vendor: "IET", product: "VIRTUAL-DISK", serial: "beaf11", byteCount: 10 << 30, blockByteCount: 512,
        content: .clusterSharedVolume(id: id, label: "csv1"), freeByteCount: 9 << 30,
        extents: [NamedExtent(name: "web/root", extent: extent)])
    static let order = MigrationOrder(
        vm: web, destination: n2, kind: .live, maxBlackoutMilliseconds: 250, bandwidthBitsPerSecond: 1_000_000_000, autoConverge: false,
        postCopy: true)
    static let progress = MigrationProgress(
        phase: .transferring, pass: 2, totalBytes: 1 << 30, transferredBytes: 1 << 29, remainingBytes: 1 << 28,
        bytesPerSecond: 100 << 20, dirtyBytesPerSecond: 20 << 20, predictedBlackoutMilliseconds: 120.5, throttlePercent: 20,
        elapsedMilliseconds: 1_234.5, note: "The guest is slowed down.")
    static let record = MigrationRecord(
        id: id, order: order, source: n1, outcome: .completed, owner: n2, isRunning: true,
        startedAt: Date(timeIntervalSince1970: 1_800_000_000.125), totalMilliseconds: 2_345.5, blackoutMilliseconds: 41.5,
        visibleGapMilliseconds: 52.25, transferredBytes: 600 << 20, passes: 3, forwardedFrames: 12, message: "web runs on n2.")
    static let migration = MigrationStatus(id: id, order: order, source: n1, progress: progress)
    static let endedMigration = MigrationStatus(id: id, order: order, source: n1, progress: progress, record: record)
    static let cancelledMigration = MigrationStatus(
        id: id, order: order, source: n1, progress: progress,
        record: MigrationRecord(
            id: id, order: order, source: n1, outcome: .cancelled, owner: n1, isRunning: true,
            startedAt: Date(timeIntervalSince1970: 1_800_000_000), totalMilliseconds: 800,
            message: "The migration was cancelled; web runs on n1."))
    static let plan = MigrationPlan(
        order: order, source: n1, refusals: ["n2 has no bridge br0."], memoryBytes: 1 << 29, dirtyBytesPerSecond: 1 << 20,
        linkBytesPerSecond: 1 << 30, predictedTotalMilliseconds: 900, predictedBlackoutMilliseconds: 40, predictedPasses: 2,
        willConverge: true, summary: "About 0.9 s in 2 passes.")

    static let createRequest = CreateMachineRequest(definition: definition, volume: "csv1", image: "/srv/debian.raw")
    static let initializeRequest = InitializeDiskRequest(disk: disk, label: "csv1", force: true)
    static let allocation = AllocationRequest(definition: definition, volume: "csv1", owner: n1)
    static let offer = IncomingOffer(
        migration: id, machine: machine, source: n1, epoch: 7, acceleration: .kvm, qemuVersion: "7.2.9",
        postCopy: false)
    static let ready = IncomingReady(address: "10.72.0.2", port: 49_152)
    static let frame = CapturedFrame(interface: "lan", bytes: Data((0..<70).map { UInt8($0) }))
    static let resume = ResumeRequest(migration: id, epoch: 8, frames: [frame, frame])
    static let resumed = ResumeReply(resumeMilliseconds: 3.25, returnedEpoch: 9)
    static let delivery = FrameDelivery(migration: id, frames: [frame])
    static let delivered = FrameReply(firstFrameMilliseconds: 1.5)
    static let incoming = IncomingState(phase: .receiving, note: "Half of it is here.")
    static let linkTest = LinkTestReady(address: "10.72.0.2", port: 49_153)
    static let error = APIError(.refused, "web already runs on n2.", node: n1)

    static let moment = Date(timeIntervalSince1970: 1_800_000_000)
    static let membership = Membership(node: n1, state: .member, cluster: "prod", clusterID: id, note: "It runs.")
    static let tokenReply = TokenReply(token: "apus1abc", node: n1, address: "10.71.0.1", port: 7_060, expires: moment)
    static let prod = ClusterName(unchecked: "prod")
    static let corosyncFiles = CorosyncFilesReply(configuration: "totem {}", key: Data([1, 2, 3]))
    static let change = ClusterChange(
        id: id, kind: .createCluster, subject: "prod", steps: [.init(at: moment, text: "n1: answers at 10.71.0.1")])
    static let endedChange = ClusterChange(
        id: id, kind: .createCluster, subject: "prod", steps: change.steps + [.init(at: moment, text: "n2: up")], outcome: .done,
        message: "Cluster prod runs with n1, n2.")
    static let createCluster = CreateClusterRequest(
        name: prod, nodes: [n1, n2], tokens: ["apus1abc"], witness: .disk(disk), force: true,
        validation: PriorValidation(run: id))
    static let addresses = NodeAddresses(rings: ["10.71.0.1", "10.74.0.1"], migration: "10.73.0.1")
    static let joinOffer = JoinOffer(
        session: Data([1, 2, 3]), node: n1, addresses: addresses, apiPort: 7_060, corosyncVersion: "3.1.7", now: moment, facts: facts,
        disks: [diskStatus], diskProblem: "The SAN does not answer.")
    static let files = MembershipBundle.CertificateFiles(authority: "A", certificate: "C", key: "K")
    static let bundle = NodeID(rawValue: 1).map {
        MembershipBundle(
            clusterID: id, cluster: prod, node: n1, nodeID: $0,
            nodes: [NodeAddress(name: n1, cluster: "10.71.0.1", migration: "10.73.0.1")],
            api: files, stream: files, corosyncKey: Data([9]), corosyncConfiguration: "totem {}", image: Data("{}".utf8))
    }
    static let joinState = JoinState(phase: .starting, note: "Corosync runs.")
    static let report = ClusterStatusReport(
        cluster: "prod", node: n1, isOpen: true, configuration: "It is open.", model: .nodeAndDiskMajority, isModelAutomatic: true,
        isDynamic: true, secondsUntilStop: 60, votesPresent: 3, votesNeeded: 2, votesTotal: 3, tolerance: "One more node may fail.",
        warnings: ["Quorum was forced."],
        nodes: NodeID(rawValue: 1).map {
            [.init(name: n1, id: $0, state: .up, votes: 1, isPresent: true, isCoordinator: true, machines: 4)]
        } ?? [], witness: .init(description: "witness disk", condition: .present, votes: 1, holder: n1, problem: "It is slow."), index: 42)
    static let events = [
        ClusterEvent(
            id: 7, time: WallTime(milliseconds: 1_800_000_000_000), node: NodeID(rawValue: 1), kind: .nodeLost, severity: .error,
            cause: "It is not in the ring.", sentence: "n1 is lost.")
    ]
    static let validationOffer = ValidationOffer(
        node: n1, nodes: [n1, n2], cluster: prod, tests: [InventoryCatalogue.kernel.id], disks: [diskStatus],
        diskProblem: "The SAN does not answer.")
    static let validationRun = ValidationRun(
        id: id, apusVersion: "0.1.0", began: WallTime(milliseconds: 1_800_000_000_000), milliseconds: 4_711,
        subject: ValidationSubject(nodes: [n1, n2]), nodes: [ValidatedNode(name: n1, address: "10.71.0.1")], disks: [],
        options: ValidationOptions(), results: [testResult])
    private static let testResult = TestResult(
        InventoryCatalogue.kernel, TestOutcome([ValidationFinding(.warning, .node(n2), reason: "n2 runs 6.1, n1 runs 6.2.")]),
        milliseconds: 12)
    static let validation: ValidationStatus = {
        var progress = TestProgress(InventoryCatalogue.kernel, steps: 1)
        progress.end(with: testResult)
        var status = ValidationStatus(id: id, phase: .ended, nodes: [n1, n2], tests: [progress])
        status.unavailable = [NetworkCatalogue.gratuitousARP.id]
        status.cleanedUp = ["n1: closed the UDP listener on 10.71.0.1 port 5405."]
        status.verdict = .warning
        status.sentence = "Suitable, with 1 warning"
        status.reservation = "89 tests not chosen."
        status.problem = "The report could not be kept."
        status.report = "/var/lib/apus/reports/validation-1.html"
        return status
    }()
    static let keptReports: [KeptReport] = {
        var older = validationRun
        older.subject.cluster = prod
        return [KeptReport(validationRun, byteCount: 4_711), KeptReport(older, byteCount: 1)]
    }()
    static let probeRequest = ProbeRequest(run: id, probe: "inventory", question: .object(["shares": .list([])]))
    static let probeReply = ProbeReply(evidence: .object(["node": "n1"]))
    private static let validations: [any Described] = [
        keptReports, keptReports[1], ReportNotice(node: n2), validationOffer, validation, validationRun, probeRequest, probeReply,
        StartValidationRequest(
            nodes: [n1], tokens: ["apus1abc"], tests: ["all"], skip: ["cluster"], disks: [disk], allEmptyDisks: true, shares: ["/mnt"]),
        FreeProbeRequest(secret: Data([7]), request: probeRequest),
    ]
    static let note = NoteEventRequest(sentence: "Switch 2 is replaced", severity: .warning)
    private static let status: [any Described] = [
        report, events, events[0], SetQuorumRequest(model: .diskOnly, isModelAutomatic: false, isDynamic: false, secondsUntilStop: 5),
        ForceQuorumRequest(reason: "n2 burnt down"), SetWitnessRequest(witness: .share("/srv/witness"), force: true), corosyncFiles, note,
    ]
    private static let forming: [any Described] =
        [
            membership, tokenReply, TokenRequest(), change, endedChange, createCluster,
            AddNodeRequest(token: "apus1abc", validation: .skipped),
            ForceRequest(force: true), DestroyClusterRequest(name: prod, localOnly: true, force: true),
            JoinPreparation(secret: Data([7]), founder: n1, cluster: prod), joinOffer, JoinOrder(session: Data([1])), joinState,
            MemberOrder(action: .leave, clusterID: id, force: true), WitnessChoice.auto, WitnessChoice.none,
            WitnessChoice.share("/mnt/witness"),
        ] + (bundle.map { [$0, MembershipDelivery(session: Data([1]), bundle: $0)] } ?? []) as [any Described]

    /// A value for every place in the table that takes or gives one, and every case of the enums that have them.
    static let all: [any Described] =
        values + [
            VMStatus(machine: machine, state: .stopped, owner: nil, epoch: 0), FrameReply(firstFrameMilliseconds: nil),
            CreateMachineRequest(definition: definition), Firmware.bios, Firmware.uefi,
            Firmware.kernel(path: "/k", initrd: nil, commandLine: ""), DiskContent.empty, DiskContent.foreign("ext4 file system"),
            DiskContent.damaged("both headers are unreadable"),
        ] + cases(of: VMRunState.self) + cases(of: MigrationPhase.self) + cases(of: MigrationOutcome.self) + cases(of: MigrationKind.self)
        + cases(of: Acceleration.self) + cases(of: CrashPolicy.self) + cases(of: APIError.Code.self) + incomingPhases + forming + status
        + validations + cases(of: ValidationStatus.Phase.self) + cases(of: TestProgress.State.self) + cases(of: Verdict.self)
        + cases(of: ClusterChange.Kind.self) + cases(of: ClusterChange.Outcome.self) + cases(of: Membership.State.self)
        + cases(of: JoinState.Phase.self) + cases(of: MemberOrder.Action.self)

    private static let values: [any Described] = [
        definition, vmStatus, [vmStatus], facts, nodeStatuses, diskStatus, [diskStatus], order, migration, endedMigration,
        [endedMigration], plan, createRequest, initializeRequest, StopMachineRequest(force: true), allocation, machine, offer, ready,
        resume, resumed, delivery, delivered, DiscardRequest(reason: "cancelled"), incoming,
        linkTest, error,
    ]

    private static func cases<T: CaseIterable & Described>(of type: T.Type) -> [any Described] { T.allCases.map { $0 } }
    private static let incomingPhases: [any Described] = [
        IncomingState.Phase.waiting, IncomingState.Phase.receiving, IncomingState.Phase.received, IncomingState.Phase.running,
        IncomingState.Phase.failed, IncomingState.Phase.unknown,
    ]
}
