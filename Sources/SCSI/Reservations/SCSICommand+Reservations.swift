extension SCSICommand {
    /// PERSISTENT RESERVE IN (SPC-4 6.15): 8 KiB hold the keys of a thousand nexuses.
    public static let readKeys = readKeys(byteCount: 8_192)
    /// With room for another number of keys: eight bytes each, after eight bytes of header.
    public static func readKeys(byteCount: UInt16) -> SCSICommand { reserveIn(0, "READ KEYS", byteCount: byteCount) }
    public static let readReservation = reserveIn(1, "READ RESERVATION")
    public static let reportReservationCapabilities = reserveIn(2, "REPORT CAPABILITIES")
    /// Not implemented by tgt 1.0, which answers ILLEGAL REQUEST.
    public static let readFullReservationStatus = reserveIn(3, "READ FULL STATUS")

    /// PERSISTENT RESERVE OUT.
    public static func reserve(_ action: ReservationAction) -> SCSICommand {
        switch action {
        case .register(let old, let new, let persistent):
            reserveOut(0, "REGISTER", key: old, serviceActionKey: new, flags: persistent ? 1 : 0)
        case .reserve(let key, let type): reserveOut(1, "RESERVE", key: key, type: type)
        case .release(let key, let type): reserveOut(2, "RELEASE", key: key, type: type)
        case .clear(let key): reserveOut(3, "CLEAR", key: key)
        case .preempt(let key, let victim, let type): reserveOut(4, "PREEMPT", key: key, serviceActionKey: victim, type: type)
        case .preemptAndAbort(let key, let victim, let type):
            reserveOut(5, "PREEMPT AND ABORT", key: key, serviceActionKey: victim, type: type)
        case .registerAndIgnore(let new, let persistent):
            reserveOut(6, "REGISTER AND IGNORE EXISTING KEY", key: .none, serviceActionKey: new, flags: persistent ? 1 : 0)
        case .registerAndMove(let key, let new, let unregister, let persistent, let port, let transportID):
            registerAndMove(
                key: key, new: new, flags: (unregister ? 2 : 0) | (persistent ? 1 : 0), relativePort: port, transportID: transportID)
        }
    }

    private static func reserveIn(_ action: UInt8, _ name: String, byteCount: UInt16 = 8_192) -> SCSICommand {
        var block: [UInt8] = [0x5e, action, 0, 0, 0, 0, 0]
        block.append(bigEndian: byteCount)
        block.append(0)
        return SCSICommand(
            name: "PERSISTENT RESERVE IN \(name)", descriptorBlock: block, transfer: .fromDevice(byteCount: Int(byteCount)))
    }

    private static func reserveOut(
        _ action: UInt8, _ name: String, key: ReservationKey, serviceActionKey: ReservationKey = .none, type: ReservationType? = nil,
        flags: UInt8 = 0
    ) -> SCSICommand {
        var parameters: [UInt8] = []
        parameters.append(bigEndian: key.rawValue)
        parameters.append(bigEndian: serviceActionKey.rawValue)
        parameters += [0, 0, 0, 0, flags, 0, 0, 0]
        return reserveOut(action, name, type: type, parameters: parameters)
    }

    private static func registerAndMove(
        key: ReservationKey, new: ReservationKey, flags: UInt8, relativePort: UInt16, transportID: [UInt8]
    ) -> SCSICommand {
        // SPC-4 6.16.4: a transport identifier is at least 24 bytes and a multiple of four.
        precondition(transportID.count >= 24 && transportID.count % 4 == 0, "a transport identifier of \(transportID.count) bytes")
        var parameters: [UInt8] = []
        parameters.append(bigEndian: key.rawValue)
        parameters.append(bigEndian: new.rawValue)
        parameters += [0, flags]
        parameters.append(bigEndian: relativePort)
        parameters.append(bigEndian: UInt32(transportID.count))
        return reserveOut(7, "REGISTER AND MOVE", type: nil, parameters: parameters + transportID)
    }

    private static func reserveOut(_ action: UInt8, _ name: String, type: ReservationType?, parameters: [UInt8]) -> SCSICommand {
        // Scope is always the logical unit (bits 4 to 7 zero).
        var block: [UInt8] = [0x5f, action, type?.rawValue ?? 0, 0, 0]
        block.append(bigEndian: UInt32(parameters.count))
        block.append(0)
        return SCSICommand(name: "PERSISTENT RESERVE OUT \(name)", descriptorBlock: block, transfer: .toDevice(parameters))
    }
}
