import Foundation
import Validation

/// Reads files of the kernel and the system, and notes what should have been readable and was not.
struct FactReader: Sendable {
    private(set) var unreadable: [UnreadableFact] = []
    private static let mostBytes = 4 << 20

    mutating func note(_ what: String, _ reason: String) { unreadable.append(UnreadableFact(what, reason: reason)) }

    /// A file that every Linux host has.
    ///
    /// - Parameter what: The fact that is missing when it cannot be read.
    mutating func text(_ path: String, for what: String) -> String? {
        do { return try Self.read(path) } catch {
            note(what, "\(path) cannot be read: \(error.localizedDescription)")
            return nil
        }
    }

    /// A file whose absence is an answer: this host has no such thing.
    func optional(_ path: String) -> String? { try? Self.read(path) }
    func optionalLine(_ path: String) -> String? {
        let line = optional(path)?.split(whereSeparator: \.isNewline).first?.trimmingCharacters(in: .whitespaces)
        return line.flatMap { $0.isEmpty ? nil : $0 }
    }
    func optionalNumber(_ path: String) -> Int? { optionalLine(path).flatMap { Int($0) } }

    /// The names in a folder, sorted; none when it is not there.
    func names(in folder: String) -> [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted() }
    func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
    /// The last part of where a symbolic link points to, as drivers are named in sysfs.
    func linkName(_ path: String) -> String? {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: path)).map { URL(filePath: $0).lastPathComponent }
    }

    /// sysfs and procfs tell no size, so it is read to its end.
    private static func read(_ path: String) throws -> String {
        let handle = try FileHandle(forReadingFrom: URL(filePath: path))
        defer { try? handle.close() }
        let data = try handle.read(upToCount: mostBytes) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}
