/// READ KEYS (SPC-4 6.15.2): every registration of the logical unit.
public struct RegisteredKeys: Hashable, Sendable {
    /// Rises with every change of the registrations; 0 after a power cycle of a target that does not keep them.
    public var generation: UInt32
    /// In the device's order; a key is listed once for each nexus that registered it.
    public var keys: [ReservationKey]
    public var isTruncated: Bool

    public init(generation: UInt32, keys: [ReservationKey], isTruncated: Bool = false) {
        self.generation = generation
        self.keys = keys
        self.isTruncated = isTruncated
    }

    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "READ KEYS data")
        generation = try reader.integer(at: 0)
        let listed: UInt32 = try reader.integer(at: 4)
        let present = Int(min(listed, UInt32(clamping: bytes.count - 8))) / 8
        isTruncated = Int(listed) > bytes.count - 8
        keys = []
        for index in 0..<present { keys.append(ReservationKey(rawValue: try reader.integer(at: 8 + index * 8))) }
    }
}

/// READ RESERVATION (SPC-4 6.15.3).
public struct CurrentReservation: Hashable, Sendable {
    public struct Holder: Hashable, Sendable {
        /// ``ReservationKey/none`` with the all-registrants types: everybody registered holds it.
        public var key: ReservationKey
        public var type: ReservationType
        public init(key: ReservationKey, type: ReservationType) {
            self.key = key
            self.type = type
        }
    }
    public var generation: UInt32
    /// Nil when the logical unit is not reserved.
    public var holder: Holder?

    public init(generation: UInt32, holder: Holder? = nil) {
        self.generation = generation
        self.holder = holder
    }

    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "READ RESERVATION data")
        generation = try reader.integer(at: 0)
        let length: UInt32 = try reader.integer(at: 4)
        guard length > 0 else {
            holder = nil
            return
        }
        // Cut short is not "free": a reservation that cannot be read must not look like none.
        let key: UInt64 = try reader.integer(at: 8)
        let typeBits = try reader.byte(at: 21) & 0x0f
        guard let type = ReservationType(rawValue: typeBits) else { throw reader.malformed("reservation type \(typeBits)") }
        holder = Holder(key: ReservationKey(rawValue: key), type: type)
    }
}

/// REPORT CAPABILITIES (SPC-4 6.15.4): what the device can do with reservations.
public struct ReservationCapabilities: Hashable, Sendable {
    /// Registrations can be kept over a loss of power (PTPL_C).
    public var canPersistThroughPowerLoss: Bool
    public var persistsThroughPowerLossNow: Bool
    /// One REGISTER may cover every target port (ATP_C).
    public var canRegisterAllPorts: Bool
    /// A REGISTER may name initiator ports (SIP_C).
    public var canNameInitiatorPorts: Bool
    /// Nil when the device does not say which types it has (TMV is zero).
    public var types: Set<ReservationType>?

    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "REPORT CAPABILITIES data")
        let length: UInt16 = try reader.integer(at: 0)
        guard length >= 8 else { throw reader.malformed("a length of \(length), less than 8") }
        let first = try reader.byte(at: 2)
        let second = try reader.byte(at: 3)
        let mask = try reader.slice(at: 4, count: 2)
        canPersistThroughPowerLoss = first & 0x01 != 0
        canRegisterAllPorts = first & 0x04 != 0
        canNameInitiatorPorts = first & 0x08 != 0
        persistsThroughPowerLossNow = second & 0x01 != 0
        guard second & 0x80 != 0, let low = mask.first, let high = mask.last else {
            types = nil
            return
        }
        // Byte 4 bit n stands for type n, except that type 8 is bit 0 of byte 5.
        types = Set(
            ReservationType.allCases.filter { $0 == .exclusiveAccessAllRegistrants ? high & 1 != 0 : low & 1 << $0.rawValue != 0 })
    }
}

/// READ FULL STATUS (SPC-4 6.15.5): every registration with the nexus that made it.
public struct FullReservationStatus: Hashable, Sendable {
    public struct Registration: Hashable, Sendable {
        public var key: ReservationKey
        public var holdsReservation: Bool
        /// Nil unless it holds the reservation.
        public var type: ReservationType?
        /// Registered through every target port; ``relativePort`` then means nothing.
        public var coversAllPorts: Bool
        public var relativePort: UInt16
        /// Names the initiator port (SPC-4 7.6.4).
        public var transportID: [UInt8]
    }
    public var generation: UInt32
    public var registrations: [Registration]
    public var isTruncated: Bool

    public init(parsing bytes: [UInt8]) throws(MalformedData) {
        let reader = ByteReader(bytes, subject: "READ FULL STATUS data")
        generation = try reader.integer(at: 0)
        let listed: UInt32 = try reader.integer(at: 4)
        let end = 8 + Int(min(listed, UInt32(clamping: bytes.count - 8)))
        isTruncated = Int(listed) > bytes.count - 8
        registrations = []
        var at = 8
        while at + 24 <= end {
            let length = Int(try reader.integer(at: at + 20, as: UInt32.self))
            guard length <= end - at - 24 else {
                // Only a cut list may end inside a descriptor.
                guard isTruncated else { throw reader.malformed("descriptor at \(at) claims \(length) more bytes than there are") }
                break
            }
            let flags = try reader.byte(at: at + 12)
            let typeBits = try reader.byte(at: at + 13) & 0x0f
            let holds = flags & 0x01 != 0
            registrations.append(
                Registration(
                    key: ReservationKey(rawValue: try reader.integer(at: at)), holdsReservation: holds,
                    type: holds ? ReservationType(rawValue: typeBits) : nil, coversAllPorts: flags & 0x02 != 0,
                    relativePort: try reader.integer(at: at + 18), transportID: [UInt8](try reader.slice(at: at + 24, count: length))))
            at += 24 + length
        }
    }
}
