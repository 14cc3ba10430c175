import ClusterModel
import DurableFiles
import Foundation
import Validation

/// Where the reports of a cluster are kept: three files for each run, named after its moment and its identity.
///
///     validation-20261118T110640Z-1a2b3c4d.html  .json  .xml
///
/// The JSON is written last and removed first: a report whose JSON is there is whole.
public struct ReportFolder: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    /// Makes the folder if need be, and keeps the run.
    /// - Throws: ``ReportFolderError``. What was written before stays, and is not listed.
    public func save(_ run: ValidationRun) throws(ReportFolderError) -> StoredReport {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
        } catch {
            throw .folder(path, reason: error.localizedDescription)
        }
        let report = StoredReport(run, name: Self.name(of: run), folder: path)
        // The name has only the first digits of the identity, and a run may come from another node.
        if let other = try? read(report.json), other.id != run.id { throw .taken(report.name) }
        do {
            try DurableFile.replace(report.html, with: Array(HTMLReport.text(of: run).utf8), mode: Self.mode)
            try DurableFile.replace(report.junit, with: Array(JUnitReport.text(of: run).utf8), mode: Self.mode)
            try DurableFile.replace(report.json, with: try JSONReport.bytes(of: run), mode: Self.mode)
        } catch {
            throw .write("\(error)")
        }
        return report
    }

    /// Root writes them, and a group that the administrator gives the folder to may read them.
    private static let mode: mode_t = 0o640

    private static func name(of run: ValidationRun) -> String {
        let moment = FigureText.iso8601(run.began).filter { $0.isLetter || $0.isNumber }
        return "\(prefix)\(moment)-\(run.id.uuidString.lowercased().prefix(8))"
    }
    private static let prefix = "validation-"
    private static let suffix = ".json"

    /// Every report, the newest first; one that cannot be read is there with its problem. Empty when there is no folder yet.
    public func list() throws(ReportFolderError) -> [StoredReport] {
        var reports: [StoredReport] = []
        for name in try names() {
            do {
                reports.append(StoredReport(try read(path + "/" + name + Self.suffix), name: name, folder: path))
            } catch {
                reports.append(StoredReport(name: name, folder: path, problem: error.description))
            }
        }
        return reports.sorted { ($0.began?.rawValue ?? 0, $0.name) > ($1.began?.rawValue ?? 0, $1.name) }
    }

    /// The newest whole report for exactly these nodes that is not too old.
    ///
    /// - Parameters:
    ///   - maximumAge: Milliseconds.
    ///   - isAsked: Whether a test could be carried out for these nodes at all; others do not have to be in the report.
    public func recent(
        for nodes: [NodeName], now: WallTime, maximumAge: Int64, asking isAsked: (ValidationTestID) -> Bool
    ) throws(ReportFolderError) -> (run: ValidationRun, report: StoredReport)? {
        for report in try list() where Set(report.nodes) == Set(nodes) {
            guard let run = try? read(report.json) else { continue }
            var whole = report
            whole.isComplete = !run.options.skipped.contains(where: isAsked)
            if whole.covers(nodes, now: now, maximumAge: maximumAge) { return (run, report) }
        }
        return nil
    }

    /// The length in bytes of each report's JSON, by the report's name. Empty when there is no folder yet.
    func sizes() throws(ReportFolderError) -> [String: Int] {
        var sizes: [String: Int] = [:]
        for name in try names() {
            let attributes = try? FileManager.default.attributesOfItem(atPath: path + "/" + name + Self.suffix)
            guard attributes?[.type] as? FileAttributeType == .typeRegular, let size = attributes?[.size] as? Int else { continue }
            sizes[name] = size
        }
        return sizes
    }

    /// Removes all forms of a report.
    /// - Parameter name: As in ``StoredReport/name``.
    public func remove(_ name: String) throws(ReportFolderError) {
        let report = StoredReport(name: name, folder: path, problem: nil)
        for file in [report.json, report.html, report.junit] where unlink(file) != 0 && errno != ENOENT {
            throw .write("\(file) cannot be removed: \(String(cString: strerror(errno))).")
        }
    }

    /// - Parameter text: `latest`, the identity of a run or at least four digits of its beginning, the name of a report, or the path of a JSON
    ///   file, which may be anywhere.
    public func load(_ text: String) throws(ReportFolderError) -> (run: ValidationRun, report: StoredReport) {
        if text.contains("/") || text.hasSuffix(Self.suffix) {
            let run = try read(text)
            let file = text.split(separator: "/").last.map(String.init) ?? text
            let name = file.hasSuffix(Self.suffix) ? String(file.dropLast(Self.suffix.count)) : file
            return (run, StoredReport(run, name: name, folder: text.contains("/") ? DurableFile.folder(of: text) : "."))
        }
        let name = try self.name(meant: text)
        let run = try read(path + "/" + name + Self.suffix)
        return (run, StoredReport(run, name: name, folder: path))
    }

    private func name(meant text: String) throws(ReportFolderError) -> String {
        if text == "latest" {
            guard let latest = try list().first(where: { $0.problem == nil }) else { throw .empty(path) }
            return latest.name
        }
        let wanted = text.lowercased()
        let names = try names()
        if let exact = names.first(where: { $0.lowercased() == wanted }) { return exact }
        if let id = UUID(uuidString: text) {
            // Its first eight digits are in the name; other runs may share them.
            for name in names where name.hasSuffix("-\(wanted.prefix(8))") && (try? read(path + "/" + name + Self.suffix).id) == id {
                return name
            }
        }
        guard wanted.utf8.count >= 4 else { throw .unknown(text, path) }
        let matches = names.filter { $0.split(separator: "-").last?.hasPrefix(wanted) ?? false }
        guard let match = matches.first else { throw .unknown(text, path) }
        guard matches.count == 1 else { throw .ambiguous(text, matches) }
        return match
    }

    /// The names of the JSON files without their ending, in order.
    private func names() throws(ReportFolderError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path)
                .filter { $0.hasPrefix(Self.prefix) && $0.hasSuffix(Self.suffix) }.map { String($0.dropLast(Self.suffix.count)) }.sorted()
        } catch {
            guard FileManager.default.fileExists(atPath: path) else { return [] }
            throw .folder(path, reason: error.localizedDescription)
        }
    }

    private func read(_ file: String) throws(ReportFolderError) -> ValidationRun {
        let bytes: [UInt8]
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            defer { try? handle.close() }
            // One more than is allowed: a device or a huge file is not read to its end to be refused.
            bytes = [UInt8](try handle.read(upToCount: JSONReport.largestFile + 1) ?? Data())
        } catch {
            throw .unreadable(file, reason: error.localizedDescription)
        }
        do { return try JSONReport.read(bytes) } catch { throw .unreadable(file, reason: error.description) }
    }
}
