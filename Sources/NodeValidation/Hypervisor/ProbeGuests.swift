import ClusterAPI
import ClusterModel
import DurableFiles
import Foundation
import Logging
import NodeIdentity
import NodeService
import QEMU
import Validation

/// The guests that tests run on this node. They have no disk and no adapter, and the cluster knows nothing of them.
///
/// Each belongs to a run and ends with it. What a service that was killed left behind ends at the next start (``sweep(runtime:logger:)``).
actor ProbeGuests {
    struct Guest {
        var local: LocalMachine
        var pulse: GuestPulse
        /// nil once it runs here, and for one that was started here.
        var arrival: Arrival?
        var held: UUID
    }
    struct Arrival {
        var migration: UUID
        var machine: IncomingMachine
        var resumedAt: ContinuousClock.Instant?
    }
    /// Lets other nodes of a run in, while this node belongs to no cluster.
    private struct Door {
        var secret: JoinSecret
        var identity: String
    }
    private let runtime: String
    private var guests: [UUID: Guest] = [:]
    /// Guests whose QEMU is being started.
    private var building = 0
    private var doors: [UUID: Door] = [:]

    /// Longer than any step that uses one.
    private static let lifetime = Duration.seconds(150)
    private static let mostGuests = 8
    static let memoryMiB = 64

    private static func folder(_ runtime: String) -> String { runtime + "/validation" }

    init(runtime: String) { self.runtime = runtime }

    // MARK: The guest

    /// A guest's folder is named after the first part of its identifier, because a socket's path must be short; the rest is always this.
    private static let identifierEnd = "-0000-4000-8000-61707573a11d"
    static func identifier(_ part: String) -> UUID? { UUID(uuidString: part + identifierEnd) }
    static func newIdentifier() -> UUID {
        let part = String(UUID().uuidString.prefix(8))
        return identifier(part) ?? UUID()
    }

    private static func machineFolder(_ guest: UUID, _ runtime: String) -> MachineFolder {
        MachineFolder(path: folder(runtime) + "/" + guest.uuidString.prefix(8).lowercased())
    }

    /// Also built of what another node asks for, so nothing but the two names is taken from outside.
    private static func machine(_ guest: UUID, machineType: String, cpuModel: String, kernel: String) -> VirtualMachine {
        let name = VMName(unchecked: "validation-" + guest.uuidString.prefix(8).lowercased())
        return VirtualMachine(
            definition: VMDefinition(
                name: name, id: guest, memoryMiB: memoryMiB, vcpus: 1, cpuModel: cpuModel, machineType: machineType,
                firmware: .kernel(path: kernel, initrd: nil, commandLine: ""), disks: [], interfaces: [], onCrash: .stop),
            extents: [:], firmwareVariables: nil, ownershipSlot: OwnershipSlot(disk: DiskID("none"), index: 0))
    }

    private func build(
        _ guest: UUID, machineType: String, cpuModel: String, isIncoming: Bool, _ context: ProbeContext
    ) async throws -> (LocalMachine, GuestPulse, UUID) {
        guard guests[guest] == nil else { throw ProbeProblem("\(context.node) has this guest already.") }
        guard guests.count < Self.mostGuests else {
            throw ProbeProblem("\(context.node) runs \(Self.mostGuests) guests for tests already.")
        }
        guard Self.identifier(String(guest.uuidString.prefix(8))) == guest else {
            throw ProbeProblem("This is no identifier of a test's guest.")
        }
        building += 1
        defer { building -= 1 }
        let machine = Self.machine(guest, machineType: machineType, cpuModel: cpuModel, kernel: try Self.kernelFile(runtime))
        let folder = Self.machineFolder(guest, runtime)
        let commandLine = try QEMUCommandLine(
            machine,
            on: MachineHostSettings(
                acceleration: context.host.acceleration, folder: folder, attachments: [:], taps: [:], isIncoming: isIncoming))
        let process = try await MachineProcess.start(
            commandLine, folder: folder, user: context.host.machineUser, deadline: ProbePatience.answer - ProbePatience.command)
        do {
            let local = try await LocalMachine.attach(
                to: process, machine: machine, state: isIncoming ? .incoming : .starting, logger: context.logger)
            let pulse = try GuestPulse(socket: folder.serialSocket)
            let held = try await context.held.hold(for: context.run, lifetime: Self.lifetime, "ended the guest of a test") { [weak self] in
                try await self?.discard(guest)
            }
            return (local, pulse, held)
        } catch {
            try await process.kill(within: .seconds(5))
            try folder.remove()
            throw error
        }
    }

    /// The machine user must be able to read it, and the kernel is the same for all.
    private static func kernelFile(_ runtime: String) throws -> String {
        let folder = folder(runtime)
        let path = folder + "/pulse.bin"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        try DurableFile.replace(path, with: PulseGuest.kernel, mode: 0o644)
        return path
    }

    /// Starts one and waits until it lives.
    func start(_ question: GuestStartQuestion, _ context: ProbeContext) async throws -> GuestStartQuestion.Evidence {
        let began = ContinuousClock.now
        let (local, pulse, held) = try await build(
            question.guest, machineType: question.machineType, cpuModel: question.cpuModel, isIncoming: false, context)
        guests[question.guest] = Guest(local: local, pulse: pulse, held: held)
        do {
            try await local.run()
            // A round over its pages, so that there is memory to lose.
            let signs = await pulse.wait(for: 120, within: ProbePatience.probe)
            guard let first = signs.first else {
                let words = local.process.lastWords()
                throw ProbeProblem(
                    "QEMU runs and the guest gave no sign of life within \(ProbePatience.probe.components.seconds) s.\(words.isEmpty ? "" : " QEMU says: \(words)")"
                )
            }
            return .init(milliseconds: (first.at - began) / .milliseconds(1))
        } catch {
            try await end(question.guest, context)
            throw error
        }
    }

    /// - Returns: Whether there was one.
    @discardableResult
    func end(_ guest: UUID, _ context: ProbeContext) async throws -> Bool {
        guard let held = guests[guest]?.held else { return false }
        return try await context.held.giveBack(held)
    }

    private func discard(_ guest: UUID) async throws {
        guard let found = guests.removeValue(forKey: guest) else { return }
        await found.arrival?.machine.close()
        found.pulse.stop()
        await found.local.end()
        guard found.local.process.hasEnded else { throw ProbeProblem("Its QEMU, process \(found.local.process.processID), does not end.") }
        try found.local.process.folder.remove()
        try tidy()
    }

    /// Nothing stays when nobody needs it.
    private func tidy() throws {
        guard guests.isEmpty, doors.isEmpty, building == 0 else { return }
        do { try FileManager.default.removeItem(atPath: Self.folder(runtime)) } catch CocoaError.fileNoSuchFile {}
    }

    func guest(_ id: UUID) -> Guest? { guests[id] }

    // MARK: Coming in

    func answer(_ call: GuestCall.Call, _ context: ProbeContext) async throws -> GuestCall.Evidence {
        switch call {
        case .prepare(let offer): return GuestCall.Evidence(ready: try await prepare(offer, context))
        case .openLinkTest: return GuestCall.Evidence(link: try await LinkTest.receive(on: context.addresses.migration))
        case .state(let migration):
            return GuestCall.Evidence(state: try await find(migration)?.arrival.machine.state ?? IncomingState(phase: .unknown))
        case .resume(let migration): return GuestCall.Evidence(resumeMilliseconds: try await resume(migration))
        case .firstSign(let migration): return GuestCall.Evidence(sign: await firstSign(migration))
        case .discard(let migration):
            if let found = find(migration) { try await end(found.id, context) }
            return GuestCall.Evidence()
        }
    }

    private func find(_ migration: UUID) -> (id: UUID, arrival: Arrival)? {
        for (id, guest) in guests { if let arrival = guest.arrival, arrival.migration == migration { return (id, arrival) } }
        return nil
    }

    private func prepare(_ offer: IncomingOffer, _ context: ProbeContext) async throws -> IncomingReady {
        let definition = offer.machine.definition
        let (local, pulse, held) = try await build(
            definition.id, machineType: definition.machineType, cpuModel: definition.cpuModel, isIncoming: true, context)
        var trusted = offer
        trusted.machine = local.machine
        let machine = IncomingMachine(offer: trusted, local: local, logger: context.logger)
        guests[definition.id] = Guest(
            local: local, pulse: pulse, arrival: Arrival(migration: offer.migration, machine: machine), held: held)
        do {
            return try await machine.listen(
                on: context.addresses.migration, identityFolder: identityFolder(context.run, context.configuration))
        } catch {
            try await end(definition.id, context)
            throw error
        }
    }

    private func resume(_ migration: UUID) async throws -> Double {
        guard let (id, arrival) = find(migration) else { throw ProbeProblem("The guest is not here.") }
        // The source is done when the last byte was acknowledged; QEMU here may need a moment more to say so.
        let end = ContinuousClock.now + ProbePatience.probe
        while ContinuousClock.now < end, try await arrival.machine.state.phase == .receiving { try await Task.sleep(for: .milliseconds(1)) }
        let took = try await arrival.machine.run(frames: [])
        guests[id]?.arrival?.resumedAt = .now
        await arrival.machine.local.set(.running)
        return took / .milliseconds(1)
    }

    private func firstSign(_ migration: UUID) async -> GuestCall.Sign? {
        guard let (id, arrival) = find(migration), let resumed = arrival.resumedAt, let pulse = guests[id]?.pulse else { return nil }
        // A whole round over its pages tells whether its memory came along.
        let signs = await pulse.wait(for: 120, within: ProbePatience.probe)
        guard let first = signs.first else { return nil }
        return GuestCall.Sign(
            sign: first.sign, milliseconds: (first.at - resumed) / .milliseconds(1), hasBrokenMemory: signs.hasBrokenMemory)
    }

    // MARK: Nodes that share no certificates yet

    /// Lets the other nodes of a run in.
    func openDoor(_ question: GuestDoorQuestion, fingerprint: [UInt8], _ context: ProbeContext) async throws -> GuestDoorQuestion.Evidence {
        guard doors[context.run] == nil else { throw ProbeProblem("\(context.node) is open to this run already.") }
        let identity = Self.folder(runtime) + "/identity-" + context.run.uuidString.prefix(8).lowercased()
        func certificate(_ files: GuestDoorQuestion.Certificates) -> CertificateWithKey {
            CertificateWithKey(authorityPEM: files.authority, certificatePEM: files.certificate, keyPEM: files.key, expires: .distantFuture)
        }
        try FileManager.default.createDirectory(
            atPath: Self.folder(runtime), withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        let credentials = NodeCredentials(
            node: context.node.rawValue, api: certificate(question.api), stream: certificate(question.stream))
        do {
            try credentials.write(to: identity, machineGroup: context.host.machineUser.groupID)
            let secret = JoinSecret.random(byteCount: 32)
            _ = try await context.held.hold(for: context.run, lifetime: .seconds(900), "") { [weak self] in
                try await self?.closeDoor(context.run)
            }
            doors[context.run] = Door(secret: JoinSecret(secret), identity: identity)
            return .init(
                address: context.addresses.cluster, port: context.configuration.apiPort, fingerprint: Data(fingerprint),
                secret: Data(secret))
        } catch {
            try? FileManager.default.removeItem(atPath: identity)
            throw error
        }
    }

    private func closeDoor(_ run: UUID) throws {
        guard let door = doors.removeValue(forKey: run) else { return }
        try FileManager.default.removeItem(atPath: door.identity)
        try tidy()
    }

    /// Whether the caller is another node of a run that this node takes part in, and asks for what those may.
    func admits(_ secret: Data, _ request: ProbeRequest) -> Bool {
        guard request.probe == GuestCall.name, let door = doors[request.run] else { return false }
        return door.secret.matches(secret)
    }

    /// With which certificates memory is sent and received: the cluster's, or those of the run.
    func identityFolder(_ run: UUID, _ configuration: NodeConfiguration) -> String {
        doors[run]?.identity ?? configuration.directories.identity
    }

    // MARK: After a crash

    /// Ends the guests and removes the keys that a service which was killed left behind.
    static func sweep(runtime: String, logger: Logger) async {
        let folder = folder(runtime)
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        for name in names {
            do {
                if let guest = identifier(name) {
                    let place = machineFolder(guest, runtime)
                    try await MachineProcess.adopt(folder: place, machine: guest)?.kill()
                    try place.remove()
                } else {
                    try FileManager.default.removeItem(atPath: folder + "/" + name)
                }
                logger.notice("what a validation left behind is gone", metadata: ["what": "\(name)"])
            } catch {
                logger.error("what a validation left behind cannot be removed", metadata: ["what": "\(name)", "reason": "\(error)"])
            }
        }
        // Stays while something is in it.
        rmdir(folder)
    }
}
