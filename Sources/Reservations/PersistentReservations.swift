import SCSI

/// SCSI-3 persistent reservations of one logical unit, through one nexus (SPC-4 5.12).
///
/// The type is always Write Exclusive, Registrants Only: everybody reads, registered nexuses write, and one PREEMPT takes the right to
/// write from a node. Nothing here registers, repeats a registration or takes a reservation by itself: that is for whoever has quorum.
///
/// **Unit attentions.** A command that meets one was not begun (SAM-5 5.14). Reset (29h), reservations released (2Ah/04h) and the like are
/// taken note of by the device and the command is sent again. 2Ah/03h and 2Ah/05h say that this nexus was preempted: that is
/// ``ReservationError/preempted(disk:command:)`` and never repeated.
///
/// **What targets do not agree on.** tgt binds a registration to the session, so a new login is not registered and its old registration
/// stays as an orphan that nobody can unregister: ``adopt(orphan:key:until:)``. tgt has no PREEMPT AND ABORT: ``fence(_:key:until:)``.
public actor PersistentReservations {
    public nonisolated let lun: LogicalUnitNumber
    /// For messages.
    public nonisolated let disk: String
    private let transport: any SCSITransport
    /// Nil until the first try.
    private var knowsPreemptAndAbort: Bool?
    public static let type = ReservationType.writeExclusiveRegistrantsOnly

    public init(_ lun: LogicalUnitNumber, of transport: any SCSITransport, disk: String) {
        self.lun = lun
        self.transport = transport
        self.disk = disk
    }

    // MARK: Reading

    /// Every registered key, one for each nexus, however many they are.
    public func keys(until deadline: ContinuousClock.Instant) async throws(ReservationError) -> RegisteredKeys {
        var byteCount: UInt16 = 2_048
        while true {
            let found = try parse(RegisteredKeys.init, try await run(.readKeys(byteCount: byteCount), until: deadline))
            // 8,190 keys are more than any array keeps.
            guard found.isTruncated, byteCount < 65_528 else { return found }
            byteCount = byteCount > 16_384 ? 65_528 : byteCount * 4
        }
    }

    public func reservation(until deadline: ContinuousClock.Instant) async throws(ReservationError) -> CurrentReservation {
        try parse(CurrentReservation.init, try await run(.readReservation, until: deadline))
    }

    /// Whether the device can be a cluster disk.
    ///
    /// - Throws: ``ReservationError/unsupported(disk:what:)`` when it has no persistent reservations or not the type that is needed.
    @discardableResult
    public func capabilities(until deadline: ContinuousClock.Instant) async throws(ReservationError) -> ReservationCapabilities {
        let reply: SCSIReply
        do throws(ReservationError) { reply = try await run(.reportReservationCapabilities, until: deadline) } catch {
            guard case .refused(_, _, .checkCondition, let sense?) = error, sense.key == .illegalRequest else { throw error }
            throw .unsupported(disk: disk, what: "persistent reservations")
        }
        let found = try parse(ReservationCapabilities.init, reply)
        guard found.types?.contains(Self.type) ?? true else { throw .unsupported(disk: disk, what: "the type \(Self.type)") }
        return found
    }

    // MARK: Registering

    /// Registers this nexus, which must not be registered, or changes its key from `old`.
    public func register(
        _ key: ReservationKey, replacing old: ReservationKey = .none, until deadline: ContinuousClock.Instant
    ) async throws(ReservationError) {
        try await change(.register(old: old, new: key, persistent: false), until: deadline)
    }

    /// Registers this nexus whatever it was before.
    public func registerIgnoringExisting(_ key: ReservationKey, until deadline: ContinuousClock.Instant) async throws(ReservationError) {
        try await change(.registerAndIgnore(new: key, persistent: false), until: deadline)
    }

    /// Ends this nexus's registration; the reservation goes with it if this nexus holds it.
    public func unregister(_ key: ReservationKey, until deadline: ContinuousClock.Instant) async throws(ReservationError) {
        try await change(.register(old: key, new: .none, persistent: false), until: deadline)
    }

    // MARK: The reservation

    /// Takes the reservation if it is free or this nexus has it already; else it is a conflict.
    public func reserve(_ key: ReservationKey, until deadline: ContinuousClock.Instant) async throws(ReservationError) {
        try await change(.reserve(key: key, Self.type), until: deadline)
    }

    /// Gives the reservation back and stays registered. A no-operation for a registered nexus that does not hold it.
    public func release(_ key: ReservationKey, until deadline: ContinuousClock.Instant) async throws(ReservationError) {
        try await change(.release(key: key, Self.type), until: deadline)
    }

    /// Removes everything: every registration and the reservation. Every other nexus then sees 2Ah/03h.
    public func clear(_ key: ReservationKey, until deadline: ContinuousClock.Instant) async throws(ReservationError) {
        try await change(.clear(key: key), until: deadline)
    }

    /// Removes the victim's registrations and, if it held the reservation, takes that over.
    ///
    /// No fence by itself: on tgt a write of the victim that was under way landed seconds later. ``fence(_:key:until:)`` is one.
    /// - Throws: ``ReservationError/conflict(disk:command:)`` when nothing is registered under `victim`: somebody was quicker.
    public func preempt(
        _ victim: ReservationKey, key: ReservationKey, until deadline: ContinuousClock.Instant
    ) async throws(ReservationError) {
        try await change(.preempt(key: key, victim: victim, Self.type), until: deadline)
    }

    /// Preempts, and returns when no write of the victim can land any more.
    ///
    /// PREEMPT AND ABORT ends the victim's commands before it answers (SPC-4 5.12.11.2.6). A device that refuses it gets PREEMPT and then
    /// LOGICAL UNIT RESET, whose answer is the barrier. The reset also ends commands of nodes that did nothing wrong; they repeat them.
    public func fence(_ victim: ReservationKey, key: ReservationKey, until deadline: ContinuousClock.Instant) async throws(ReservationError)
    {
        if knowsPreemptAndAbort != false {
            do throws(ReservationError) {
                try await change(.preemptAndAbort(key: key, victim: victim, Self.type), until: deadline)
                knowsPreemptAndAbort = true
                return
            } catch .refused(_, _, .checkCondition, let sense?) where sense.key == .illegalRequest && [0x2000, 0x2400].contains(sense.code)
            {
                knowsPreemptAndAbort = false
            }
        }
        try await preempt(victim, key: key, until: deadline)
        try await barrier(until: deadline)
    }

    /// Whether the target ends a victim's commands by itself; nil until ``fence(_:key:until:)`` was used.
    public var hasPreemptAndAbort: Bool? { knowsPreemptAndAbort }

    /// Takes over what an earlier session of this same node left: its registration and, with it, the reservation.
    ///
    /// This nexus must be registered. The orphan may bear the same key: PREEMPT of one's own key removes every registration under it but
    /// the one that asks (SPC-4 5.12.11.2.3; tgt does so). The barrier ends what the old session had under way.
    public func adopt(orphan: ReservationKey, key: ReservationKey, until deadline: ContinuousClock.Instant) async throws(ReservationError) {
        try await preempt(orphan, key: key, until: deadline)
        try await barrier(until: deadline)
    }

    /// LOGICAL UNIT RESET, answer awaited: no command that reached the target before can change the medium after it.
    public func barrier(until deadline: ContinuousClock.Instant) async throws(ReservationError) {
        do throws(SCSITransportError) {
            try await transport.resetLogicalUnit(lun, within: max(deadline - .now, .milliseconds(1)))
        } catch { throw .transport(error) }
    }

    // MARK: Commands

    private func change(_ action: ReservationAction, until deadline: ContinuousClock.Instant) async throws(ReservationError) {
        _ = try await run(.reserve(action), until: deadline, isRead: false)
    }

    private func run(
        _ command: SCSICommand, until deadline: ContinuousClock.Instant, isRead: Bool = true
    ) async throws(ReservationError) -> SCSIReply {
        var last = "none"
        var pause = Duration.milliseconds(2)
        while true {
            let left = deadline - .now
            guard left > .zero else { throw .notReady(disk: disk, command: command.name, last: last) }
            let reply: SCSIReply
            do throws(SCSITransportError) { reply = try await transport.execute(command, on: lun, within: left) } catch {
                guard error.cause == .reset else { throw .transport(error) }
                guard isRead else { throw .interrupted(disk: disk, command: command.name, last: "a reset of this node's own") }
                last = "reset"
                continue
            }
            last = reply.sense?.description ?? reply.status.description
            switch reply.status {
            case .good, .conditionMet: return reply
            case .reservationConflict: throw .conflict(disk: disk, command: command.name)
            case .busy, .taskSetFull: break
            case .taskAborted:
                guard isRead else { throw .interrupted(disk: disk, command: command.name, last: last) }
            case .checkCondition:
                guard let sense = reply.sense, !sense.isDeferred else { throw refusal(command, reply) }
                if sense.isReservationPreempted { throw .preempted(disk: disk, command: command.name) }
                switch sense.key {
                case .recoveredError: return reply
                case .unitAttention: continue
                case .notReady where sense.code == 0x0401 || sense.code == 0x040a: break
                case .abortedCommand where isRead: break
                case .abortedCommand: throw .interrupted(disk: disk, command: command.name, last: last)
                default: throw refusal(command, reply)
                }
            default: throw refusal(command, reply)
            }
            do { try await Task.sleep(for: min(pause, left)) } catch {
                throw .transport(
                    SCSITransportError(
                        cause: .cancelled, outcome: .notSent,
                        description: "\(command.name) on \(disk) was cancelled while the disk was busy."))
            }
            pause = min(pause * 2, .milliseconds(100))
        }
    }

    private func refusal(_ command: SCSICommand, _ reply: SCSIReply) -> ReservationError {
        .refused(disk: disk, command: command.name, reply.status, reply.sense)
    }

    private func parse<Value>(
        _ parser: ([UInt8]) throws(MalformedData) -> Value, _ reply: SCSIReply
    ) throws(ReservationError) -> Value {
        do throws(MalformedData) { return try parser(reply.data) } catch { throw .malformed(disk: disk, error) }
    }
}
