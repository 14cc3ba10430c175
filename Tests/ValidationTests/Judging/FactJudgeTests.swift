import ClusterModel
import Testing

@testable import Validation

/// Two nodes that are alike and as they should be. Each test breaks one fact.
enum GoodNodes {
    static let now = WallTime(milliseconds: 1_800_000_000_000)

    static func inventory(_ name: String) -> NodeInventory {
        var node = NodeInventory(node: NodeName(unchecked: name), collectedAt: now)
        node.hardware.firmware.vendor = "V"
        node.hardware.firmware.version = "1.2"
        node.hardware.processors.architecture = "x86_64"
        node.hardware.processors.vendor = "GenuineIntel"
        node.hardware.processors.model = "Xeon"
        node.hardware.processors.threads = 8
        node.hardware.processors.features = ["avx2", "fpu", "vmx"]
        node.hardware.memory.totalBytes = 64 << 30
        node.hardware.memory.swapTotalBytes = 0
        node.hardware.numaNodes = [NUMANodeFacts(number: 0, processors: "0-7", memoryBytes: 64 << 30)]
        var pci = PCIDeviceFacts(address: "0000:00:03.0", classCode: "0200", vendorID: "8086", deviceID: "1572")
        pci.driver = "i40e"
        node.hardware.pciDevices = [pci]
        node.software.kernelRelease = "6.1.0-18-amd64"
        node.software.distributionID = "debian"
        node.software.distributionVersion = "12"
        node.software.qemuVersion = "7.2.9"
        node.software.corosyncVersion = "3.1.7"
        node.software.apusVersion = "0.1.0"
        node.software.packages = [PackageFacts(name: "corosync", version: "3.1.7-1")]
        node.software.services = [ServiceFacts(name: "apusd.service", activeState: "active", enabledState: "enabled")]
        node.software.modules = ["kvm", "tun", "bridge"]
        node.software.environment = ["LANG": "C.UTF-8"]
        var adapter = AdapterFacts(name: "eth1")
        adapter.hasCarrier = true
        node.network.adapters = [adapter]
        node.network.roles = [AddressRole(role: "cluster", address: "10.0.0.1", adapter: "eth1", subnet: "10.0.0.0/24")]
        node.storage.initiators = [InitiatorFacts(name: "iqn.2025-01.io.apus:\(name)", source: "node.yaml")]
        var disk = DiskFacts(path: "t/1")
        disk.id = DiskID("naa.1")
        disk.lun = 1
        disk.byteCount = 1 << 30
        disk.transport = "iscsi"
        disk.content = .empty
        node.storage.disks = [disk]
        node.system.limits.wereRead = true
        node.system.limits.openFiles = 65_536
        node.system.limits.canScheduleRealTime = true
        node.system.sysctl = ["vm.overcommit_memory": "0", "vm.swappiness": "60"]
        node.system.time.service = "chrony"
        node.system.time.isSynchronized = true
        node.system.selinuxMode = "enforcing"
        var watchdog = WatchdogFacts(path: "/dev/watchdog0")
        watchdog.usedBy = "systemd"
        node.system.watchdogs = [watchdog]
        node.system.users = [UserFacts(name: "apus-qemu", uid: 990, gid: 990, groups: ["kvm"])]
        var file = FileFacts(path: "/etc/apus/identity/node-key.pem", expectedOwner: "root", expectedMode: 0o600, isRequired: true)
        file.owner = "root"
        file.mode = 0o600
        node.system.files = [file]
        var state = FileSystemFacts(purpose: "state", path: "/var/lib/apus")
        state.freeBytes = 10 << 30
        node.system.fileSystems = [state]
        node.system.certificates = [
            CertificateState(
                path: "c", purpose: "node certificate", subject: name, notBefore: WallTime(milliseconds: 0),
                notAfter: WallTime(milliseconds: now.rawValue + 365 * 86_400_000), fingerprint: "aa", fitsKey: true)
        ]
        node.system.crashDump.isKernelLoaded = true
        node.system.crashDump.panicTimeoutSeconds = 10
        node.system.entropyBits = 256
        node.hypervisor.acceleration = .kvm
        node.hypervisor.machineTypes = ["pc-i440fx-7.2", "pc-q35-7.1", "pc-q35-7.2"]
        node.hypervisor.cpuModels = ["Nehalem", "Skylake-Server", "qemu64"]
        node.hypervisor.hasIOMMU = true
        node.hardware.memory.hugepages = [HugepageFacts(pageBytes: 2 << 20, total: 4, free: 4)]
        return node
    }

    static func facts(breaking break: (inout NodeInventory) -> Void = { _ in }) -> CollectedFacts {
        let (one, other) = (inventory("n1"), inventory("n2"))
        var broken = other
        `break`(&broken)
        return CollectedFacts(subject: ValidationSubject(nodes: [one.node, other.node]), inventories: [one.node: one, other.node: broken])
    }
}

/// A fact that is wrong on n2, and what must be said of it.
struct Fault: Sendable, CustomTestStringConvertible {
    var test: ValidationTest
    var verdict: Verdict
    /// Words of the reason.
    var words: [String]
    var apply: @Sendable (inout NodeInventory) -> Void
    init(_ test: ValidationTest, _ verdict: Verdict, _ words: [String], _ apply: @escaping @Sendable (inout NodeInventory) -> Void) {
        self.test = test
        self.verdict = verdict
        self.words = words
        self.apply = apply
    }
    var testDescription: String { "\(test.id): \(words.joined(separator: " "))" }
}

@Suite("Judges of facts")
struct FactJudgeTests {
    static let judged = ValidationCatalogue.tests.filter {
        [.inventory, .system, .hypervisor].contains($0.category) && FactJudges.canJudge($0.id)
    }

    @Test("Every facts test of these categories has a judge")
    func complete() {
        let wanted = ValidationCatalogue.tests.filter { [.inventory, .system, .hypervisor].contains($0.category) && $0.evidence == .facts }
        #expect(wanted.map(\.id) == Self.judged.map(\.id))
    }

    @Test("Good nodes get no complaint", arguments: judged)
    func good(test: ValidationTest) throws {
        let outcome = try #require(FactJudges.judge(test, from: GoodNodes.facts()))
        let result = TestResult(test, outcome, milliseconds: 0)
        #expect(result.complaints.isEmpty, "\(result.complaints.map(\.reason))")
        #expect(outcome.headline == nil)
    }

    @Test("Nodes that know nothing of themselves are no pass", arguments: judged)
    func unknown(test: ValidationTest) throws {
        let nodes = ["n1", "n2"].map { NodeName(unchecked: $0) }
        let empty = CollectedFacts(
            subject: ValidationSubject(nodes: nodes),
            inventories: Dictionary(uniqueKeysWithValues: nodes.map { ($0, NodeInventory(node: $0, collectedAt: GoodNodes.now)) }))
        let verdict = TestResult(test, try #require(FactJudges.judge(test, from: empty)), milliseconds: 0).verdict
        // Nothing pending, nothing listed: these say themselves that there is nothing.
        let fine: Set<ValidationTestID> = [
            InventoryCatalogue.pendingReboot.id, InventoryCatalogue.disks.id, SystemCatalogue.ports.id, SystemCatalogue.space.id,
        ]
        #expect(verdict != .pass || fine.contains(test.id))
    }

    @Test("A silent node fails every test and is named in its headline", arguments: judged)
    func silent(test: ValidationTest) throws {
        var facts = GoodNodes.facts()
        let n2 = NodeName(unchecked: "n2")
        facts.inventories[n2] = nil
        facts.silent[n2] = "No answer within 30 s."
        let outcome = try #require(FactJudges.judge(test, from: facts))
        #expect(TestResult(test, outcome, milliseconds: 0).verdict == .failure)
        #expect(outcome.headline == "n2 did not answer")
    }

    static let faults: [Fault] = [
        Fault(InventoryCatalogue.firmware, .warning, ["n2", "9.9"]) { $0.hardware.firmware.version = "9.9" },
        Fault(InventoryCatalogue.processors, .warning, ["AuthenticAMD", "GenuineIntel"]) { $0.hardware.processors.vendor = "AuthenticAMD" },
        Fault(InventoryCatalogue.memory, .warning, ["n2", "32 GiB"]) { $0.hardware.memory.totalBytes = 32 << 30 },
        Fault(InventoryCatalogue.memory, .failure, ["7 errors"]) { $0.hardware.memory.uncorrectedErrors = 7 },
        Fault(InventoryCatalogue.pciDevices, .warning, ["0000:00:03.0"]) { $0.hardware.pciDevices[0].driver = nil },
        Fault(InventoryCatalogue.kernel, .warning, ["n2", "6.5", "n1"]) { $0.software.kernelRelease = "6.5" },
        Fault(InventoryCatalogue.distribution, .warning, ["debian 13"]) { $0.software.distributionVersion = "13" },
        Fault(InventoryCatalogue.packages, .failure, ["n2", "corosync"]) { $0.software.corosyncVersion = nil },
        Fault(InventoryCatalogue.services, .warning, ["apusd.service"]) { $0.software.services[0].activeState = "failed" },
        Fault(InventoryCatalogue.adapters, .failure, ["eth1", "no link"]) { $0.network.adapters[0].hasCarrier = false },
        Fault(InventoryCatalogue.iscsiInitiators, .failure, ["iqn.2025-01.io.apus:n1"]) {
            $0.storage.initiators[0].name = "iqn.2025-01.io.apus:n1"
        },
        Fault(InventoryCatalogue.timeSource, .warning, ["n2"]) { $0.system.time.service = nil },
        Fault(InventoryCatalogue.pendingReboot, .warning, ["linux-image"]) { $0.software.pendingReboot = ["linux-image"] },
        Fault(InventoryCatalogue.environment, .warning, ["http_proxy"]) { $0.software.environment["http_proxy"] = "p" },
        Fault(SystemCatalogue.architecture, .failure, ["aarch64"]) { $0.hardware.processors.architecture = "aarch64" },
        Fault(SystemCatalogue.versions, .warning, ["8.2.0", "7.2.9"]) { $0.software.qemuVersion = "8.2.0" },
        Fault(SystemCatalogue.versions, .failure, ["Apus", "0.2.0"]) { $0.software.apusVersion = "0.2.0" },
        Fault(SystemCatalogue.modules, .failure, ["tun"]) { $0.software.modules = ["kvm", "bridge"] },
        Fault(SystemCatalogue.limits, .failure, ["512 files"]) { $0.system.limits.openFiles = 512 },
        Fault(SystemCatalogue.limits, .warning, ["n2", "lock 64 KiB", "8 MiB"]) { $0.system.limits.lockedMemoryBytes = 64 << 10 },
        Fault(SystemCatalogue.limits, .failure, ["lock 0 B"]) { $0.system.limits.lockedMemoryBytes = 0 },
        Fault(SystemCatalogue.limits, .warning, ["real-time"]) { $0.system.limits.canScheduleRealTime = false },
        Fault(SystemCatalogue.timeSynchronization, .warning, ["120000 ms"]) { $0.system.time.offsetMilliseconds = 120_000 },
        Fault(SystemCatalogue.securityModules, .warning, ["permissive"]) { $0.system.selinuxMode = "permissive" },
        Fault(SystemCatalogue.memoryPolicy, .warning, ["overcommit"]) { $0.system.sysctl["vm.overcommit_memory"] = "2" },
        Fault(SystemCatalogue.watchdog, .warning, ["no watchdog"]) { $0.system.watchdogs = [] },
        Fault(SystemCatalogue.services, .failure, ["Pacemaker"]) {
            $0.software.services.append(ServiceFacts(name: "pacemaker.service", activeState: "active", enabledState: "enabled"))
        },
        Fault(SystemCatalogue.ports, .failure, ["5405", "Corosync"]) {
            $0.network.listeners = [ListenerFacts(transport: "udp", address: "0.0.0.0", port: 5_405, program: nil)]
        },
        Fault(SystemCatalogue.users, .failure, ["apus-qemu"]) { $0.system.users[0].uid = nil },
        Fault(SystemCatalogue.users, .warning, ["991", "990"]) { $0.system.users[0].uid = 991 },
        Fault(SystemCatalogue.permissions, .failure, ["node-key.pem", "0644", "0600"]) { $0.system.files[0].mode = 0o644 },
        Fault(SystemCatalogue.permissions, .failure, ["belongs to nobody"]) { $0.system.files[0].owner = "nobody" },
        Fault(SystemCatalogue.permissions, .failure, ["missing"]) {
            $0.system.files[0].owner = nil
            $0.system.files[0].mode = nil
        },
        Fault(SystemCatalogue.entropy, .warning, ["12 bits"]) { $0.system.entropyBits = 12 },
        Fault(SystemCatalogue.certificates, .failure, ["expired"]) { $0.system.certificates[0].notAfter = GoodNodes.now },
        Fault(SystemCatalogue.certificates, .failure, ["cannot be used"]) { $0.system.certificates[0].fitsKey = false },
        Fault(SystemCatalogue.certificates, .pass, ["long time"]) {
            $0.system.certificates[0].notAfter = WallTime(milliseconds: .max)
            $0.collectedAt = WallTime(milliseconds: -1)
            $0.system.certificates[0].notBefore = WallTime(milliseconds: -2)
        },
        Fault(SystemCatalogue.crashDumps, .warning, ["kernel.panic = 0"]) { $0.system.crashDump.panicTimeoutSeconds = 0 },
        Fault(SystemCatalogue.space, .failure, ["1 MiB"]) { $0.system.fileSystems[0].freeBytes = 1 << 20 },
        Fault(SystemCatalogue.space, .failure, ["read-only"]) { $0.system.fileSystems[0].isReadOnly = true },
        Fault(HypervisorCatalogue.emulation, .warning, ["emulated"]) { $0.hypervisor.acceleration = .tcg },
        Fault(HypervisorCatalogue.machineTypes, .failure, ["no machine type"]) { $0.hypervisor.machineTypes = ["virt-9"] },
        Fault(HypervisorCatalogue.machineTypes, .warning, ["pc-q35-9.0"]) { $0.hypervisor.machineTypes.append("pc-q35-9.0") },
        Fault(HypervisorCatalogue.processorBaseline, .pass, ["Nehalem is the best"]) { $0.hypervisor.cpuModels = ["Nehalem", "qemu64"] },
        Fault(HypervisorCatalogue.processorBaseline, .warning, ["n2 lacks", "avx2"]) { $0.hardware.processors.features = ["fpu", "vmx"] },
        Fault(HypervisorCatalogue.processorBaseline, .failure, ["no processor model"]) { $0.hypervisor.cpuModels = ["486"] },
        Fault(HypervisorCatalogue.hugepages, .warning, ["none"]) { $0.hardware.memory.hugepages = [] },
        Fault(HypervisorCatalogue.passthrough, .warning, ["switched off"]) { $0.hypervisor.hasIOMMU = false },
    ]

    @Test("A broken fact is found, with its words and a cure", arguments: faults)
    func broken(fault: Fault) throws {
        let outcome = try #require(FactJudges.judge(fault.test, from: GoodNodes.facts(breaking: fault.apply)))
        let result = TestResult(fault.test, outcome, milliseconds: 0)
        #expect(result.verdict == fault.verdict)
        let match = result.findings.first { finding in
            finding.verdict == fault.verdict && fault.words.allSatisfy { finding.reason.contains($0) }
        }
        #expect(match != nil, "\(result.findings.map(\.reason))")
        #expect(match?.verdict.needsCure == (match?.cure != nil))
        #expect((outcome.headline != nil) == (fault.verdict == .failure))
    }

    @Test("A disk that one node does not see is named")
    func missingDisk() throws {
        let n3 = GoodNodes.inventory("n3")
        var facts = GoodNodes.facts { $0.storage.disks = [] }
        facts.subject.nodes.append(n3.node)
        facts.inventories[n3.node] = n3
        let outcome = try #require(FactJudges.judge(InventoryCatalogue.disks, from: facts))
        #expect(
            outcome.findings.contains { $0.verdict == .warning && $0.subject == .disk(DiskID("naa.1"), node: NodeName(unchecked: "n2")) })
    }
}
