import SCSI

/// Runs commands on one logical unit with the repetitions that the standard asks for.
struct LogicalUnit: Sendable {
    /// What may be done again after a command was begun and ended early.
    enum Repetition: Sendable {
        /// Reads, and writes of bytes that nobody else writes: a second time changes nothing.
        case idempotent
        /// A write whose lateness matters; the caller wants to know that its outcome is open.
        case once
    }

    let transport: any SCSITransport
    let lun: LogicalUnitNumber
    /// For messages.
    let name: String

    func run(
        _ command: SCSICommand, until deadline: ContinuousClock.Instant, repetition: Repetition = .idempotent
    ) async throws(SharedDiskError) -> SCSIReply {
        var last = "none"
        var pause = Duration.milliseconds(2)
        while true {
            let left = deadline - .now
            guard left > .zero else { throw .notReady(disk: name, command: command.name, last: last) }
            let reply: SCSIReply
            do throws(SCSITransportError) {
                reply = try await transport.execute(command, on: lun, within: left)
            } catch {
                // The transport's own reset, meant for another command, took this one with it.
                guard error.cause == .reset, repetition == .idempotent else { throw .transport(error) }
                last = "reset"
                continue
            }
            switch try verdict(on: reply, to: command, repetition) {
            case .done: return reply
            case .again: last = reply.sense?.description ?? reply.status.description
            case .later:
                last = reply.sense?.description ?? reply.status.description
                try await wait(min(pause, left), command)
                pause = min(pause * 2, .milliseconds(250))
            }
        }
    }

    private enum Verdict { case done, again, later }

    private func verdict(
        on reply: SCSIReply, to command: SCSICommand, _ repetition: Repetition
    ) throws(SharedDiskError) -> Verdict {
        switch reply.status {
        case .good, .conditionMet: return .done
        case .reservationConflict: throw .reservationConflict(disk: name, command: command.name)
        case .busy, .taskSetFull: return .later
        case .taskAborted where repetition == .idempotent: return .later
        case .checkCondition:
            guard let sense = reply.sense, !sense.isDeferred else { break }
            if sense.isReservationPreempted { throw .reservationPreempted(disk: name) }
            switch sense.key {
            case .recoveredError: return .done
            case .unitAttention: return .again
            // Becoming ready; standby and transition of asymmetric access count too.
            case .notReady where sense.code == 0x0401 || sense.code == 0x040a: return .later
            case .abortedCommand where repetition == .idempotent: return .later
            default: break
            }
        default: break
        }
        throw .refused(disk: name, command: command.name, reply.status, reply.sense)
    }

    private func wait(_ pause: Duration, _ command: SCSICommand) async throws(SharedDiskError) {
        do { try await Task.sleep(for: pause) } catch {
            throw .transport(
                SCSITransportError(
                    cause: .cancelled, outcome: .notSent, description: "\(command.name) on \(name) was cancelled while the disk was busy."))
        }
    }

    /// Parses a reply and adds the disk's name to what is wrong with it.
    func parse<Value>(_ parser: ([UInt8]) throws(MalformedData) -> Value, _ reply: SCSIReply) throws(SharedDiskError) -> Value {
        do throws(MalformedData) { return try parser(reply.data) } catch { throw .malformed(disk: name, error) }
    }
}
