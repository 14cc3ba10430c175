import ClusterAPI
import ClusterModel
import Foundation
import Membership
import NodeService
import Validation

/// Fills a ``NodeInventory``. What cannot be read is named among the unreadable facts, never guessed.
struct InventoryCollector: Sendable {
    let context: ProbeContext
    let shares: [String]

    func collect() async -> NodeInventory {
        let begin = WallTime(Date())
        async let tools = ToolAnswers.ask(addresses: context.addresses)
        async let disks = sanDisks()
        async let ours = clusterDisks()
        let answers = await (tools, disks, ours)
        return await Self.offPool {
            var inventory = fill(NodeInventory(node: context.node, collectedAt: begin), answers.0, answers.1)
            inventory.storage.mark(answers.2)
            return inventory
        }
    }

    /// Disks that this node's cluster has taken into use. An empty volume is in use too, and the witness at every moment.
    private func clusterDisks() async -> [DiskID: String] {
        guard let state = await context.forming?.engine.view?.state else { return [:] }
        var uses: [DiskID: String] = [:]
        for disk in state.disks.values {
            switch disk.use {
            case .witness: uses[disk.id] = "the cluster, as its witness"
            case .clusterSharedVolume(_, let label): uses[disk.id] = "the cluster, as volume \(label)"
            }
        }
        if case .disk(let id) = state.witness.witness { uses[id] = "the cluster, as its witness" }
        return uses
    }

    /// Files of the kernel answer at once, but a folder on a share that is gone does not; so this stands on a thread of its own.
    private static func offPool<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            let thread = Thread { continuation.resume(returning: work()) }
            thread.name = "inventory"
            thread.start()
        }
    }

    private func fill(_ empty: NodeInventory, _ tools: ToolAnswers, _ disks: Result<[SharedDiskStatus], ProbeProblem>) -> NodeInventory {
        var inventory = empty
        var reader = FactReader()
        inventory.hardware = HardwareCollector.collect(&reader)
        inventory.software = SoftwareCollector.collect(&reader, tools, context.host)
        inventory.network = NetworkCollector.collect(
            &reader, tools, context.addresses, portal: context.configuration.san?.portal)
        inventory.storage = StorageCollector.collect(&reader, context, disks, shares: shares)
        inventory.system = SystemCollector.collect(&reader, tools, context)
        inventory.hypervisor = HypervisorCollector.collect(&reader, context.host)
        inventory.unreadable = reader.unreadable
        return inventory
    }

    /// The disks of the SAN, over the session that the node service keeps anyway. The SAN may hang; the rest of the facts must not.
    private func sanDisks() async -> Result<[SharedDiskStatus], ProbeProblem> {
        guard context.configuration.san != nil else { return .success([]) }
        return await withTaskGroup(of: Result<[SharedDiskStatus], ProbeProblem>?.self) { group in
            group.addTask {
                do { return .success(try await context.storage.inventory()) } catch { return .failure(ProbeProblem("\(error)")) }
            }
            group.addTask {
                do { try await Task.sleep(for: ProbePatience.command) } catch { return nil }
                return .failure(ProbeProblem("The SAN did not list its disks within \(ProbePatience.command.components.seconds) s."))
            }
            defer { group.cancelAll() }
            for await answer in group { if let answer { return answer } }
            return .failure(ProbeProblem("Listing the disks was cancelled."))
        }
    }
}

/// What tools of the system say, asked all at once because each takes its time to start.
struct ToolAnswers: Sendable {
    typealias Answer = Result<String, ProbeProblem>
    var addresses: Answer
    var vlans: Answer
    var packages: Answer
    var units: Answer
    var timedate: Answer
    var chrony: Answer
    var ruleset: Answer
    var corosync: Answer

    static let packageNames = [
        "apus", "corosync", "libiscsi7", "open-iscsi", "multipath-tools", "qemu-system-x86", "ovmf", "chrony", "linux-image-amd64",
    ]
    static let unitNames = [
        "apusd.service", "corosync.service", "pacemaker.service", "libvirtd.service", "chrony.service", "systemd-timesyncd.service",
        "ntpsec.service", "iscsid.service", "multipathd.service", "firewalld.service", "nftables.service", "kdump-tools.service",
        "unattended-upgrades.service", "watchdog.service",
    ]

    static func ask(addresses own: LocalAddresses) async -> Self {
        async let addresses = answer(["ip", "-json", "-details", "-statistics", "address", "show"])
        async let vlans = answer(["bridge", "-json", "vlan", "show"])
        async let packages = answer(
            ["dpkg-query", "--show", "--showformat", "${Package}\\t${Version}\\t${db:Status-Status}\\n"] + packageNames)
        async let units = answer(["systemctl", "show", "--property=Id,LoadState,ActiveState,UnitFileState"] + unitNames)
        async let timedate = answer(["timedatectl", "show"])
        async let chrony = answer(["chronyc", "-c", "tracking"])
        async let ruleset = answer(["nft", "-json", "list", "ruleset"])
        async let corosync = answer(["corosync", "-v"])
        return await Self(
            addresses: addresses, vlans: vlans, packages: packages, units: units, timedate: timedate, chrony: chrony, ruleset: ruleset,
            corosync: corosync)
    }

    private static func answer(_ words: [String]) async -> Answer {
        do throws(ProbeProblem) {
            let output = try await ToolRun.run(words)
            // dpkg-query ends with 1 when one of the packages is not known, and tells the others all the same.
            if words[0] == "dpkg-query", output.exitCode == 1 { return .success(output.text) }
            return .success(try await output.isSuccess ? output.text : ToolRun.text(words))
        } catch { return .failure(error) }
    }
}

extension ToolAnswers.Answer {
    var text: String? { try? get() }
}

extension StorageFacts {
    /// Notes what the cluster uses disks for, beside what else uses them.
    fileprivate mutating func mark(_ uses: [DiskID: String]) {
        for index in disks.indices {
            guard let id = disks[index].id, let use = uses[id] else { continue }
            disks[index].usedBy = disks[index].usedBy.map { "\(use): \($0)" } ?? use
        }
    }
}
