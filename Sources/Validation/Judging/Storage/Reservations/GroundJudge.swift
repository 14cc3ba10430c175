import ClusterModel
import Foundation

/// Whether anything may be done to a disk, from what it said before anything was done.
public enum GroundJudge {
    /// What keeps tests from a disk.
    public enum Obstacle: Hashable, Sendable {
        case noReservations(DiskID, words: String)
        case foreign(DiskID, keys: [DiskKey], holder: DiskKey?)

        public var disk: DiskID {
            switch self {
            case .noReservations(let disk, _), .foreign(let disk, _, _): disk
            }
        }
    }

    /// - Parameter grounds: What each seat read.
    /// - Returns: For each disk that must be left alone the reason. Keys of this run are no obstacle, they are removed.
    public static func obstacles(_ grounds: [ReservationSeatQuestion.Ground], run: UUID) -> [Obstacle] {
        let disks = grounds.map(\.disk).reduce(into: [DiskID]()) { if !$0.contains($1) { $0.append($1) } }
        return disks.compactMap { disk in
            let views = grounds.filter { $0.disk == disk }
            if let refusal = views.compactMap(\.refusal).first { return .noReservations(disk, words: refusal) }
            let keys = Set(views.flatMap(\.keys)).filter { !$0.belongs(to: run) }.sorted()
            let holder = views.compactMap(\.holder).first { !$0.belongs(to: run) }
            return keys.isEmpty && holder == nil ? nil : .foreign(disk, keys: keys, holder: holder)
        }
    }

    /// - Parameter isFirst: No other test of this run has told of it.
    public static func outcome(_ obstacle: Obstacle, isFirst: Bool) -> TestOutcome {
        let disk = obstacle.disk
        switch obstacle {
        case .noReservations(_, let words):
            guard isFirst else {
                return TestOutcome([
                    ValidationFinding(.notApplicable, .disk(disk), reason: "The disk has no SCSI-3 persistent reservations.")
                ])
            }
            return TestOutcome(
                [
                    ValidationFinding(
                        .failure, .disk(disk), reason: "The storage array offers no SCSI-3 persistent reservations on this disk. \(words)",
                        cure: "Enable SCSI-3 persistent reservations for the LUN on the array; without them it cannot be a cluster disk.")
                ], headline: "disk \(disk) has no SCSI-3 persistent reservations")
        case .foreign(_, let keys, let holder):
            let list = keys.map(\.description).joined(separator: ", ")
            var reason =
                keys.isEmpty
                ? ""
                : "\(keys.count == 1 ? "A key that is" : "\(keys.count) keys that are") not of this run \(keys.count == 1 ? "is" : "are") registered on the disk: \(list)."
            if let holder { reason += "\(reason.isEmpty ? "" : " ")The disk is reserved by \(holder)." }
            guard isFirst else {
                return TestOutcome([ValidationFinding(.notApplicable, .disk(disk), reason: "The disk was left alone. \(reason)")])
            }
            return TestOutcome(
                [
                    ValidationFinding(
                        .failure, .disk(disk), reason: reason + " The disk was left alone: nothing of others is ever removed.",
                        cure: cure(keys + (holder.map { [$0] } ?? [])))
                ], headline: "disk \(disk) is registered or reserved by others")
        }
    }

    private static func cure(_ keys: [DiskKey]) -> String {
        if keys.allSatisfy(\.isOfValidation) {
            return
                "Another validation tests this disk, or was killed. Wait for its end; start apusd on the node it ran on, which removes what it left."
        }
        if keys.contains(where: \.isOfCluster) {
            return
                "A cluster uses this disk (keys that begin with 0x4150). Name another disk, or end that cluster first: apus cluster destroy."
        }
        return "Find out which hosts use the disk, and take it from them on the array. If nobody uses it any more, remove the keys there, "
            + "or from a host with sg_persist --out --clear."
    }
}
