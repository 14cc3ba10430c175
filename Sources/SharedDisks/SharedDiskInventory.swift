import ClusterModel
import SCSI

/// Every shared disk that one transport reaches.
public struct SharedDiskInventory: Sendable {
    public struct Item: Sendable {
        public var disk: SharedDisk
        public var status: SharedDiskStatus
    }
    /// In ascending order of logical unit numbers.
    public var items: [Item]
    /// Logical units that are there and could not be read, each a sentence.
    public var problems: [String]

    public var statuses: [SharedDiskStatus] { items.map(\.status) }

    public func disk(_ id: DiskID) -> SharedDisk? { items.first { $0.disk.id == id }?.disk }

    /// Asks the target for its logical units and reads what each carries. Controllers and the like are left out; a disk that does not
    /// answer becomes a problem and does not hide the others.
    public static func take(
        of transport: any SCSITransport, within limit: Duration = .seconds(10)
    ) async throws(SharedDiskError) -> SharedDiskInventory {
        let unit = LogicalUnit(transport: transport, lun: .zero, name: transport.name)
        let reply = try await unit.run(.reportLUNs(), until: .now.advanced(by: limit))
        let reported = try unit.parse(ReportedLUNs.init, reply)
        var inventory = SharedDiskInventory(items: [], problems: [])
        for lun in reported.luns {
            do throws(SharedDiskError) {
                let disk = try await SharedDisk.attach(lun, of: transport, within: limit)
                inventory.items.append(Item(disk: disk, status: try await disk.status()))
            } catch .notADisk {
                continue
            } catch .transport(let error) where error.cause == .transportLost || error.cause == .cancelled {
                throw .transport(error)
            } catch { inventory.problems.append(error.description) }
        }
        if reported.unreachableCount > 0 {
            inventory.problems.append("\(transport.name) has \(reported.unreachableCount) logical units with numbers above 16383.")
        }
        inventory.markDoubles()
        return inventory
    }

    /// Two disks with one identity would be taken for each other; neither may be used.
    private mutating func markDoubles() {
        for (id, alike) in Dictionary(grouping: items.indices, by: { items[$0].disk.id }) where alike.count > 1 {
            let numbers = alike.map { "\(items[$0].status.lun)" }.joined(separator: ", ")
            let text = "LUNs \(numbers) claim the same identity \(id); give them different ones on the storage array"
            problems.append(text + ".")
            for index in alike { items[index].status.content = .damaged(text) }
        }
    }
}

extension SharedDisk {
    /// A line of the list of disks.
    public func status() async throws(SharedDiskError) -> SharedDiskStatus {
        let inspection = try await DiskInspection.inspect(self)
        return SharedDiskStatus(
            id: id, lun: Int(lun.rawValue), vendor: vendor, product: product, serial: serial, byteCount: byteCount,
            blockByteCount: blockByteCount, content: inspection.content, freeByteCount: inspection.table?.freeByteCount,
            extents: inspection.table?.namedExtents(on: id) ?? [])
    }
}
