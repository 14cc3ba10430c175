import ClusterAPI
import ClusterModel
import Foundation
import ISCSI
import Logging
import QEMU
import SCSI
import SharedDisks
import VMDefinitions

/// This node's way to the shared disks: one session, opened again by decision and never by itself.
package actor StorageAccess {
    private let configuration: SANConfiguration?
    private let node: NodeName
    private let logger: Logger
    private var link: Link?
    private var opening: Task<Link, any Error>?

    /// A session, and what was found through it.
    private struct Link: Sendable {
        var session: ISCSISession
        var inventory: SharedDiskInventory
        var volumes: [DiskID: ClusterSharedVolume]
    }

    init(configuration: SANConfiguration?, node: NodeName, logger: Logger) {
        self.configuration = configuration
        self.node = node
        self.logger = logger
    }

    // MARK: The session

    /// Opens the session again soon after it died, so that the next one who needs it does not wait.
    func keepConnected() async {
        guard configuration != nil else { return }
        var complained = false
        while !Task.isCancelled {
            do {
                _ = try await connected()
                complained = false
            } catch {
                if !complained { logger.warning("the SAN cannot be reached; trying again every second", metadata: ["error": "\(error)"]) }
                complained = true
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    func close() async {
        opening?.cancel()
        await link?.session.close()
        link = nil
    }

    private func connected() async throws -> Link {
        if let link, link.session.loss == nil { return link }
        if let opening { return try await opening.value }
        let task = Task { try await open() }
        opening = task
        defer { opening = nil }
        let new = try await task.value
        link = new
        return new
    }

    private func open() async throws -> Link {
        guard let configuration else {
            throw APIError(.refused, "\(node) is not configured with a SAN; add san: to its node.yaml.", node: node)
        }
        if let lost = link?.session.loss { logger.warning("the session to the SAN was lost", metadata: ["reason": "\(lost)"]) }
        await link?.session.close()
        link = nil
        // The identity is the same after a restart of this service: the target then drops what is left of the session before, so that no
        // write of it can land any more.
        let session = try await ISCSISession.open(
            target(configuration), identity: ISCSISessionIdentity(stableFor: "apusd on \(node)"))
        let link = try await survey(session)
        logger.info("connected to the SAN", metadata: ["portal": "\(configuration.portal)", "disks": "\(link.inventory.items.count)"])
        return link
    }

    private func target(_ configuration: SANConfiguration) throws -> ISCSITarget {
        var credentials: ISCSITarget.Credentials?
        if let user = configuration.user, let file = configuration.secretFile {
            let secret = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
            credentials = .init(user: user, secret: secret)
        }
        return ISCSITarget(
            portal: configuration.portal, name: configuration.target, initiator: configuration.initiator, credentials: credentials)
    }

    /// The target with this node's credentials.
    package func sanTarget() throws -> ISCSITarget {
        guard let configuration else {
            throw APIError(.refused, "\(node) is not configured with a SAN; add san: to its node.yaml.", node: node)
        }
        return try target(configuration)
    }
    var name: NodeName { node }

    private func survey(_ session: ISCSISession) async throws -> Link {
        let inventory = try await SharedDiskInventory.take(of: session)
        for problem in inventory.problems { logger.warning("a logical unit cannot be used", metadata: ["problem": "\(problem)"]) }
        var volumes: [DiskID: ClusterSharedVolume] = [:]
        for item in inventory.items {
            if case .clusterSharedVolume = item.status.content { volumes[item.disk.id] = try await ClusterSharedVolume.open(item.disk) }
        }
        return Link(session: session, inventory: inventory, volumes: volumes)
    }

    /// Looks again, because disks come and go and another node may have changed them.
    private func surveyAgain() async throws -> Link {
        let new = try await survey(connected().session)
        link = new
        return new
    }

    func volume(_ disk: DiskID) async throws -> ClusterSharedVolume {
        if let volume = try await connected().volumes[disk] { return volume }
        if let volume = try await surveyAgain().volumes[disk] { return volume }
        throw APIError(.notFound, "\(node) sees no Cluster Shared Volume on disk \(disk). See: apus disk list", node: node)
    }

    // MARK: Disks

    package func inventory() async throws -> [SharedDiskStatus] { try await surveyAgain().inventory.statuses }

    /// Disks that were found when the session was opened; none while there is no session.
    ///
    /// Whoever asks has other questions too: a SAN that does not answer must not keep a node from answering. A session that was just lost
    /// is waited for, because it is usually back at once.
    func visibleDisks() async -> [DiskID] {
        let end = ContinuousClock.now + .seconds(1)
        while ContinuousClock.now < end, !Task.isCancelled {
            if let link, link.session.loss == nil { return link.inventory.items.map(\.disk.id) }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return []
    }

    func initialize(_ id: DiskID, label: String, cluster: String, force: Bool) async throws -> SharedDiskStatus {
        let found = try await surveyAgain()
        guard let disk = found.inventory.disk(id) else {
            throw APIError(.notFound, "\(node) sees no shared disk \(id). See: apus disk list", node: node)
        }
        if found.volumes.values.contains(where: { $0.label == label && $0.disk.id != id }) {
            throw APIError(.refused, "Another volume is labelled \(label) already; choose another label.", node: node)
        }
        _ = try await ClusterSharedVolume.initialize(disk, label: label, cluster: cluster, force: force)
        guard let status = try await surveyAgain().inventory.statuses.first(where: { $0.id == id }) else {
            throw APIError(.failed, "\(id) was initialised and cannot be seen any more.", node: node)
        }
        return status
    }

    /// The session to the SAN as SCSI sees it.
    package func transport() async throws -> any SCSITransport { try await connected().session }

    /// The disk itself, for whoever makes it a witness.
    package func disk(_ id: DiskID) async throws -> SharedDisk {
        guard let disk = try await surveyAgain().inventory.disk(id) else {
            throw APIError(.notFound, "\(node) sees no shared disk \(id). See: apus disk list", node: node)
        }
        return disk
    }

    /// As ``disk(_:)``, without looking again at every disk when this one was found before.
    package func knownDisk(_ id: DiskID) async throws -> SharedDisk {
        if let disk = try await connected().inventory.disk(id) { return disk }
        return try await disk(id)
    }

    /// How QEMU opens an extent.
    func attachment(of extent: Extent) async throws -> DiskAttachment {
        guard let configuration else {
            throw APIError(.refused, "\(node) is not configured with a SAN; add san: to its node.yaml.", node: node)
        }
        let lun = try await volume(extent.disk).disk.lun
        let target = try target(configuration)
        return .iscsi(
            ISCSIAttachment(
                portal: target.portal, target: target.name, lun: Int(lun.rawValue), initiator: target.initiator,
                user: target.credentials?.user, secret: target.credentials?.secret, extent: extent))
    }

    // MARK: Coordinator

    func allocate(_ request: AllocationRequest) async throws -> VirtualMachine {
        let definition = request.definition
        let volume = try await volume(for: request)
        var names: [String] = []
        do {
            var extents: [String: Extent] = [:]
            for disk in definition.disks {
                let name = extentName(definition.name, disk.name)
                extents[disk.name] = try await volume.allocate(name: name, byteCount: disk.byteCount)
                names.append(name)
            }
            var variables: Extent?
            if definition.firmware == .uefi {
                let name = extentName(definition.name, Self.firmwareExtent)
                variables = try await volume.allocate(name: name, byteCount: UEFIFirmware().variablesByteCount)
                names.append(name)
            }
            let slot = try await volume.claimSlot(vmID: definition.id, owner: request.owner)
            return VirtualMachine(definition: definition, extents: extents, firmwareVariables: variables, ownershipSlot: slot)
        } catch {
            for name in names {
                do { try await volume.release(name: name) } catch {
                    logger.error("an extent stays allocated", metadata: ["extent": "\(name)", "error": "\(error)"])
                }
            }
            throw error
        }
    }

    private static let firmwareExtent = DefinitionRules.firmwareVariablesName
    private func extentName(_ vm: VMName, _ disk: String) -> String { "\(vm)/\(disk)" }

    private func volume(for request: AllocationRequest) async throws -> ClusterSharedVolume {
        let found = try await surveyAgain()
        if let label = request.volume {
            guard let volume = found.volumes.values.first(where: { $0.label == label }) else {
                let known = found.volumes.values.map(\.label).sorted().joined(separator: ", ")
                throw APIError(.notFound, "There is no volume \(label); there is: \(known.isEmpty ? "none" : known).", node: node)
            }
            return volume
        }
        let roomiest = found.inventory.statuses.filter { $0.freeByteCount != nil }
            .max { ($0.freeByteCount ?? 0, $1.id) < ($1.freeByteCount ?? 0, $0.id) }
        guard let id = roomiest?.id, let volume = found.volumes[id] else {
            throw APIError(
                .refused,
                "There is no Cluster Shared Volume yet. See the disks with: apus disk list, then: apus disk init DISK --label NAME",
                node: node)
        }
        return volume
    }

    /// Safe to repeat: what is not there any more is taken as given back.
    func release(_ machine: VirtualMachine) async throws {
        let volume = try await volume(machine.ownershipSlot.disk)
        if let record = try await volume.readOwnership(machine.ownershipSlot), record.vmID == machine.definition.id {
            try await volume.clearSlot(machine.ownershipSlot)
        }
        let there = Set(try await volume.extents().map(\.name))
        let names = machine.definition.disks.map(\.name) + (machine.firmwareVariables == nil ? [] : [Self.firmwareExtent])
        for name in names.map({ extentName(machine.name, $0) }) where there.contains(name) { try await volume.release(name: name) }
    }

    func writeImage(_ path: String, to extent: Extent) async throws {
        try await volume(extent.disk).writeImage(path, to: extent)
    }

    // MARK: Ownership

    /// Reads from the disk who may run a machine.
    package func readOwnership(_ slot: OwnershipSlot, of vm: UUID) async throws -> OwnershipRecord {
        do {
            return try await check(volume(slot.disk).readOwnership(slot), of: vm, slot)
        } catch VolumeError.disk(let error) where link?.session.loss != nil {
            logger.info("the session to the SAN died while ownership was read; once more", metadata: ["error": "\(error)"])
            return try await check(volume(slot.disk).readOwnership(slot), of: vm, slot)
        }
    }

    private func check(_ record: OwnershipRecord?, of vm: UUID, _ slot: OwnershipSlot) throws -> OwnershipRecord {
        guard let record, record.vmID == vm else {
            throw APIError(.refused, "Slot \(slot.index) of disk \(slot.disk) holds no record of this machine; it was deleted.", node: node)
        }
        return record
    }

    func writeOwnership(_ record: OwnershipRecord, in slot: OwnershipSlot) async -> OwnershipWrite {
        do {
            try await volume(slot.disk).writeOwnership(slot, record)
            return .written
        } catch let error as OwnershipWriteError {
            switch error {
            case .notWritten(let reason): return .notWritten(reason)
            case .unknown(let reason): return .unknown(reason)
            }
        } catch {
            // The volume could not be reached, so nothing was sent.
            return .notWritten("\(error)")
        }
    }

    /// Writes a record so that no late write of an epoch in between can count any more: each epoch up to the new one is used up, which
    /// replaces both copies in turn.
    func outrank(_ current: OwnershipRecord, with record: OwnershipRecord, in slot: OwnershipSlot) async throws {
        for epoch in current.epoch + 1..<record.epoch {
            var step = record
            step.epoch = epoch
            // Refused when the late write has landed already; the next epoch outranks that too.
            _ = await writeOwnership(step, in: slot)
        }
        switch await writeOwnership(record, in: slot) {
        case .written: return
        case .notWritten(let reason), .unknown(let reason):
            throw APIError(.failed, "Ownership could not be written on disk \(slot.disk): \(reason)", node: node)
        }
    }

    /// Ends whatever may still be written to the slot's disk, then reads.
    func resolveOwnership(_ slot: OwnershipSlot, of vm: UUID) async throws -> OwnershipRecord {
        try await check(volume(slot.disk).resolveAmbiguousWrite(slot), of: vm, slot)
    }
}
