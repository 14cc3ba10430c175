import SCSI
import Synchronization
import Testing

/// A target in memory, for what a real one does not do on command: crash between two writes, tear one, be busy, be fenced.
final class MemoryTarget: SCSITransport {
    struct Unit: Sendable {
        var blockByteCount: Int
        var bytes: [UInt8]
        var serial: String
        var deviceType: UInt8 = 0
        var designators: [UInt8] = []
        var maximumTransferBlocks: UInt32 = 0
        var isThin = false
        var knowsForcedAccess = true
    }
    enum Fault: Sendable {
        /// The node dies after this many more writes.
        case crash(afterWrites: Int)
        /// Answers given instead of the next ones.
        case answers([SCSIReply])
        /// The next write is done, or not, and its answer never comes.
        case lostAnswer(isDone: Bool)
    }
    private struct State: Sendable {
        var units: [UInt16: Unit]
        var fault: Fault?
        var isDead = false
        var log: [String] = []
        var resets = 0
    }
    private let state: Mutex<State>
    let name = "memory"

    init(_ units: [UInt16: Unit]) { state = Mutex(State(units: units)) }

    static func disk(mebibytes: Int = 64, blockByteCount: Int = 512, serial: String = "MEM1") -> Unit {
        Unit(blockByteCount: blockByteCount, bytes: [UInt8](repeating: 0, count: mebibytes << 20), serial: serial)
    }

    func inject(_ fault: Fault?) {
        state.withLock {
            $0.fault = fault
            $0.isDead = false
        }
    }
    func edit(_ lun: UInt16 = 1, _ change: (inout Unit) -> Void) {
        state.withLock { state in
            if var unit = state.units.removeValue(forKey: lun) {
                change(&unit)
                state.units[lun] = unit
            }
        }
    }
    func bytes(_ lun: UInt16 = 1) -> [UInt8] { state.withLock { $0.units[lun]?.bytes ?? [] } }
    /// Names of the commands so far.
    var log: [String] { state.withLock { $0.log } }
    var resetCount: Int { state.withLock { $0.resets } }

    func resetLogicalUnit(_ lun: LogicalUnitNumber, within limit: Duration) async throws(SCSITransportError) {
        let dead = state.withLock { state in
            state.resets += 1
            return state.isDead
        }
        if dead { throw SCSITransportError(cause: .transportLost, outcome: .notSent, description: "crashed") }
    }

    func execute(
        _ command: SCSICommand, on lun: LogicalUnitNumber, within limit: Duration
    ) async throws(SCSITransportError) -> SCSIReply {
        try state.withLock { state in Result { () throws(SCSITransportError) in try Self.execute(command, lun.rawValue, &state) } }.get()
    }

    private static func execute(_ command: SCSICommand, _ lun: UInt16, _ state: inout State) throws(SCSITransportError) -> SCSIReply {
        state.log.append(command.name)
        if state.isDead { throw SCSITransportError(cause: .transportLost, outcome: .notSent, description: "crashed") }
        if case .answers(var answers)? = state.fault {
            let answer = answers.removeFirst()
            state.fault = answers.isEmpty ? nil : .answers(answers)
            return answer
        }
        if command.name == "REPORT LUNS" {
            let list = state.units.keys.sorted().flatMap { [UInt8](bigEndian: UInt64($0) << 48) }
            return SCSIReply(status: .good, data: [0, 0, 0, UInt8(list.count), 0, 0, 0, 0] + list)
        }
        guard var unit = state.units[lun] else { return illegal(0x2500) }
        guard case .toDevice(let data) = command.transfer else { return read(command, unit) }
        guard unit.knowsForcedAccess || command.descriptorBlock[1] & 8 == 0 else { return illegal(0x2400) }
        switch state.fault {
        case .crash(let left) where left == 0:
            // Half of the write reaches the medium, in whole blocks: the largest tear there is.
            state.isDead = true
            _ = write(command, Array(data.prefix(data.count / 2 / unit.blockByteCount * unit.blockByteCount)), &unit)
            state.units[lun] = unit
            throw SCSITransportError(cause: .transportLost, outcome: .unknown, description: "crashed")
        case .crash(let left): state.fault = .crash(afterWrites: left - 1)
        case .lostAnswer(let isDone):
            state.fault = nil
            if isDone { _ = write(command, data, &unit) }
            state.units[lun] = unit
            throw SCSITransportError(cause: .deadline, outcome: .unknown, description: "no answer")
        default: break
        }
        // Out of the dictionary while it is changed, or the bytes would be copied.
        state.units[lun] = nil
        let reply = write(command, data, &unit)
        state.units[lun] = unit
        return reply
    }

    private static func read(_ command: SCSICommand, _ unit: Unit) -> SCSIReply {
        let block = command.descriptorBlock
        switch block[0] {
        case 0x00, 0x91: return SCSIReply(status: .good)
        case 0x12 where block[1] == 0:
            return good([unit.deviceType, 0, 5, 2, 31, 0, 0, 2] + Array("APUS    MEMORY          1.0 ".utf8))
        case 0x12:
            switch block[2] {
            case 0x00: return good([0, 0, 0, 4, 0, 0x80, 0x83, 0xb0])
            case 0x80: return good([0, 0x80, 0, UInt8(unit.serial.utf8.count)] + Array(unit.serial.utf8))
            case 0x83: return good([0, 0x83, 0, UInt8(unit.designators.count)] + unit.designators)
            case 0xb0: return good([0, 0xb0, 0, 0x3c, 0, 0, 0, 0] + [UInt8](bigEndian: unit.maximumTransferBlocks))
            default: return illegal(0x2400)
            }
        case 0x9e:
            var data: [UInt8] = []
            data.append(bigEndian: UInt64(unit.bytes.count / unit.blockByteCount - 1))
            data.append(bigEndian: UInt32(unit.blockByteCount))
            return good(data + [0, 0, unit.isThin ? 0xc0 : 0, 0] + [UInt8](repeating: 0, count: 16))
        case 0x88:
            let range = range(block, unit)
            return range.upperBound <= unit.bytes.count ? good(Array(unit.bytes[range])) : illegal(0x2100)
        default: return illegal(0x2000)
        }
    }

    private static func write(_ command: SCSICommand, _ data: [UInt8], _ unit: inout Unit) -> SCSIReply {
        let range = range(command.descriptorBlock, unit)
        guard range.upperBound <= unit.bytes.count else { return illegal(0x2100) }
        switch command.descriptorBlock[0] {
        case 0x8a: unit.bytes.replaceSubrange(range.lowerBound..<range.lowerBound + data.count, with: data)
        case 0x93 where unit.isThin: unit.bytes.replaceSubrange(range, with: repeatElement(0, count: range.count))
        default: return illegal(0x2000)
        }
        return SCSIReply(status: .good)
    }

    private static func range(_ block: [UInt8], _ unit: Unit) -> Range<Int> {
        let reader = ByteReader(block, subject: "descriptor block")
        let first = (try? reader.integer(at: 2, as: UInt64.self)) ?? .max
        let count = (try? reader.integer(at: 10, as: UInt32.self)) ?? .max
        guard first < 1 << 40 else { return Int.max - 1..<Int.max }
        let start = Int(first) * unit.blockByteCount
        return start..<start + Int(count) * unit.blockByteCount
    }

    private static func good(_ data: [UInt8]) -> SCSIReply { SCSIReply(status: .good, data: data) }
    private static func illegal(_ code: UInt16) -> SCSIReply {
        SCSIReply(status: .checkCondition, sense: SCSISense(key: .illegalRequest, code: code))
    }
}

extension SCSIReply {
    static func attention(_ code: UInt16) -> SCSIReply {
        SCSIReply(status: .checkCondition, sense: SCSISense(key: .unitAttention, code: code))
    }
}

let lunOne: LogicalUnitNumber = {
    guard let lun = LogicalUnitNumber(1) else { preconditionFailure("1 is a number of a logical unit") }
    return lun
}()
