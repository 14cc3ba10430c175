import ClusterModel
import SCSI

/// One logical unit of the SAN, as seen through one transport.
///
/// A value: it has no state besides what it was told when it was attached. It repeats what may be repeated: commands that met a unit
/// attention (they were not begun, SAM-5 5.14), and those that a busy device put off. It never repeats past its limit, and it does
/// not register, reserve or log in.
public struct SharedDisk: Sendable {
    public let transport: any SCSITransport
    public let lun: LogicalUnitNumber
    public let id: DiskID
    public let vendor: String
    public let product: String
    public let serial: String
    public let capacity: ReadCapacity
    public let limits: BlockLimits
    /// For one command, its repetitions included.
    public var commandLimit: Duration = .seconds(10)

    public var byteCount: UInt64 { capacity.blockCount * UInt64(capacity.blockByteCount) }
    public var blockByteCount: Int { capacity.blockByteCount }

    /// Asks the logical unit what it is.
    ///
    /// - Throws: ``SharedDiskError/notADisk(_:deviceType:)`` for controllers and the like, ``SharedDiskError/noIdentity(_:)`` for a disk
    ///   that no two nodes could recognise as the same.
    public static func attach(
        _ lun: LogicalUnitNumber, of transport: any SCSITransport, within limit: Duration = .seconds(10)
    ) async throws(SharedDiskError) -> SharedDisk {
        let unit = LogicalUnit(transport: transport, lun: lun, name: "\(lun) of \(transport.name)")
        let deadline = ContinuousClock.now.advanced(by: limit)
        // INQUIRY and REPORT LUNS work even while a unit attention is pending (SPC-4 6.4.1); the rest waits until it is ready.
        let inquiry = try unit.parse(StandardInquiry.init, try await unit.run(.inquiry, until: deadline))
        guard inquiry.isDisk else { throw .notADisk(unit.name, deviceType: inquiry.deviceType) }
        _ = try await unit.run(.testUnitReady, until: deadline)
        let pages = try unit.parse(SupportedPages.init, try await unit.run(.inquiry(page: .supportedPages), until: deadline))
        var serial = ""
        var designators: [DeviceIdentification.Designator] = []
        var limits = BlockLimits()
        if pages.contains(.unitSerialNumber) {
            serial = try unit.parse(UnitSerialNumber.init, try await unit.run(.inquiry(page: .unitSerialNumber), until: deadline)).text
        }
        if pages.contains(.deviceIdentification) {
            let reply = try await unit.run(.inquiry(page: .deviceIdentification), until: deadline)
            designators = try unit.parse(DeviceIdentification.init, reply).designators
        }
        if pages.contains(.blockLimits) {
            limits = try unit.parse(BlockLimits.init, try await unit.run(.inquiry(page: .blockLimits), until: deadline))
        }
        let capacity = try unit.parse(ReadCapacity.init, try await unit.run(.readCapacity16, until: deadline))
        guard let id = DiskID(inquiry: inquiry, serial: serial, designators: designators) else { throw .noIdentity(unit.name) }
        return SharedDisk(
            transport: transport, lun: lun, id: id, vendor: inquiry.vendor, product: inquiry.product, serial: serial, capacity: capacity,
            limits: limits)
    }

    /// The same disk through another transport, after the one it had was lost.
    public func attached(to other: any SCSITransport) async throws(SharedDiskError) -> SharedDisk {
        var disk = try await Self.attach(lun, of: other, within: commandLimit)
        guard disk.id == id else { throw .noIdentity("\(lun) of \(other.name), which was \(id) and now is \(disk.id),") }
        disk.commandLimit = commandLimit
        return disk
    }

    // MARK: Barriers

    /// Everything written before, by anybody, is on the medium.
    public func synchronize() async throws(SharedDiskError) {
        _ = try await unit.run(.synchronizeCache16, until: .now.advanced(by: commandLimit))
    }

    /// Ends every command that any node has under way on this disk and waits for the answer: nothing sent before can land after it.
    ///
    /// A PREEMPT alone does not do this: on tgt a write that was under way when its node was preempted landed seconds later. Other
    /// nodes see unit attention 29h/00h and repeat their commands.
    public func resetBarrier(within limit: Duration? = nil) async throws(SharedDiskError) {
        do throws(SCSITransportError) {
            try await transport.resetLogicalUnit(lun, within: limit ?? commandLimit)
        } catch { throw .transport(error) }
    }

    var unit: LogicalUnit { LogicalUnit(transport: transport, lun: lun, name: id.description) }
}
