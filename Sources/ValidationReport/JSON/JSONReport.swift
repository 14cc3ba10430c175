import ClusterAPI
import Foundation
import Validation

/// A run as JSON: what is kept, compared and given to other programs. ``ValidationRun`` says what the fields mean.
public enum JSONReport {
    /// The largest file that is read. Eight nodes with everything make less than one MiB.
    public static let largestFile = 64 << 20

    /// Indented, keys in alphabetical order: the same run gives the same bytes.
    public static func bytes(of run: ValidationRun) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // JSON knows no such numbers; a measurement that came to nothing must not cost the report.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: infinite, negativeInfinity: "-" + infinite, nan: unknown)
        return [UInt8](try encoder.encode(run)) + [UInt8(ascii: "\n")]
    }

    /// - Throws: ``ReportReadError`` that says what is wrong with the text.
    public static func read(_ bytes: [UInt8]) throws(ReportReadError) -> ValidationRun {
        guard bytes.count <= largestFile else { throw .tooLarge(byteCount: bytes.count) }
        let data = Data(bytes)
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: infinite, negativeInfinity: "-" + infinite, nan: unknown)
        do {
            // First of all: whether this program can know what the rest means.
            let format = try decoder.decode(Format.self, from: data).format
            guard (1...ValidationRun.currentFormat).contains(format) else { throw ReportReadError.otherFormat(format) }
            return try decoder.decode(ValidationRun.self, from: data)
        } catch let error as ReportReadError {
            throw error
        } catch let error as DecodingError {
            throw .notAReport(error.sentence)
        } catch {
            throw .notAReport("\(error)")
        }
    }

    private struct Format: Decodable { var format: Int }
    private static let infinite = "infinite"
    private static let unknown = "unknown"
}

/// Why a text is no report that can be read.
public enum ReportReadError: Error, Hashable, CustomStringConvertible {
    case tooLarge(byteCount: Int)
    case otherFormat(Int)
    /// What is wrong and where, without a full stop.
    case notAReport(String)

    public var description: String {
        switch self {
        case .tooLarge(let count):
            "It is \(count >> 20) MiB long; reports have at most \(JSONReport.largestFile >> 20). This is no report of Apus."
        case .otherFormat(let format):
            "It is in format \(format); this version reads 1 to \(ValidationRun.currentFormat). Use the version of Apus that wrote it."
        case .notAReport(let reason):
            "It is no report of Apus: \(reason)."
        }
    }
}
