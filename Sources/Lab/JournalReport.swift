import Foundation

/// What a guest's disk journal proves: whether one writer at a time was at work, and lost nothing that it saw succeed.
public struct JournalReport: Hashable, Sendable, Codable {
    /// Nothing missing, double, broken or misplaced, and at least one record.
    public var good: Bool
    public var records: Int
    /// The oldest sequence that should still be in the ring, and the newest.
    public var first: UInt64
    public var last: UInt64
    /// Starts of the writer among them.
    public var boots: Int
    public var missing: Int
    /// Records that show two writers at work.
    public var duplicates: Int
    public var badChecksums: Int
    public var misplaced: Int
    /// Longest time between two records of a boot, by the guest's clock, in milliseconds.
    public var longestPauseMs: Double
    /// The first few sentences about what is wrong.
    public var problems: [String]

    /// Reads a journal from a disk image, a backing file of the SAN or a device.
    public static func read(
        _ file: String, offset: UInt64 = LabGuest.journalOffset, byteCount: UInt64 = LabGuest.journalByteCount, tools: LabTools
    ) async throws(LabError) -> JournalReport {
        let words = [tools.client, "journal", file, "--offset", String(offset), "--bytes", String(byteCount)]
        let result = try await Command.run(words, seconds: 60)
        // Exit code 1 says that the journal is broken; the report says how.
        do { return try JSONDecoder().decode(JournalReport.self, from: Data(result.output.utf8)) } catch {
            throw .command(words: words, output: result.errors.isEmpty ? "its report is not understood: \(error)" : result.errors)
        }
    }
}
