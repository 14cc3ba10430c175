import ClusterAPI
import ClusterModel
import Foundation

/// Which reports are kept: the newest, up to a number and a size. The same rule on every node, so that the members of a cluster come to keep the
/// same ones, and none fetches what it would remove again.
public struct ReportRetention: Hashable, Sendable {
    public var mostReports: Int
    /// Of their JSON; the page takes about as much again.
    public var mostBytes: Int

    public init(mostReports: Int = 200, mostBytes: Int = 256 << 20) {
        self.mostReports = mostReports
        self.mostBytes = mostBytes
    }

    /// - Returns: Those to keep, the newest first. The newest of all is kept whatever its size.
    public func kept(of reports: some Sequence<KeptReport>) -> [KeptReport] {
        var kept: [KeptReport] = []
        var bytes = 0
        for report in reports.sorted(by: { ($0.began.rawValue, $0.id.uuidString) > ($1.began.rawValue, $1.id.uuidString) }) {
            let (sum, overflow) = bytes.addingReportingOverflow(max(0, report.byteCount))
            // What does not fit takes no room from older ones: so taking it away changes nothing about the rest, and two nodes that have heard
            // of different ones come to the same.
            guard kept.isEmpty || (!overflow && sum <= mostBytes && kept.count < mostReports) else { continue }
            kept.append(report)
            bytes = overflow ? .max : sum
        }
        return kept
    }

    /// - Parameters:
    ///   - own: What this node has.
    ///   - offered: What another node says that it has; nothing in it is believed that this node could not keep.
    ///   - now: A report of a later day would stay the newest for ever.
    /// - Returns: Those to be fetched, the newest first.
    public func lacking(_ own: [KeptReport], offered: [KeptReport], now: WallTime) -> [KeptReport] {
        let (tomorrow, overflow) = now.rawValue.addingReportingOverflow(86_400_000)
        let known = Set(own.map(\.id))
        var seen: Set<KeptReport.ID> = []
        let possible = offered.prefix(10 * max(mostReports, 1)).filter { report in
            (1...JSONReport.largestFile).contains(report.byteCount) && report.began.rawValue >= 0
                && report.began.rawValue <= (overflow ? .max : tomorrow) && !known.contains(report.id) && seen.insert(report.id).inserted
        }
        return kept(of: own + possible).filter { !known.contains($0.id) }
    }
}
