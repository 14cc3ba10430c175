/// How `calc-dirty-rate` measures (`DirtyRateMeasureMode`).
public enum QMPDirtyRateMode: QMPNamedValue {
    /// Compares samples of pages before and after; cheap, works with every acceleration.
    case pageSampling
    /// KVM only.
    case dirtyRing
    /// Counts every page; KVM only.
    case dirtyBitmap
    case other(String)

    public static let known: [Self] = [.pageSampling, .dirtyRing, .dirtyBitmap]
    public var name: String {
        switch self {
        case .pageSampling: "page-sampling"
        case .dirtyRing: "dirty-ring"
        case .dirtyBitmap: "dirty-bitmap"
        case .other(let name): name
        }
    }
}

/// `DirtyRateStatus` in qapi/migration.json.
public enum QMPDirtyRateStatus: QMPNamedValue {
    case unstarted, measuring, measured
    case other(String)

    public static let known: [Self] = [.unstarted, .measuring, .measured]
    public var name: String {
        switch self {
        case .unstarted: "unstarted"
        case .measuring: "measuring"
        case .measured: "measured"
        case .other(let name): name
        }
    }
}

/// Reply of `query-dirty-rate`.
public struct QMPDirtyRate: Hashable, Sendable, Decodable {
    public var status: QMPDirtyRateStatus
    /// Set once ``status`` is ``QMPDirtyRateStatus/measured``. QEMU calls the unit MB/s and counts in MiB.
    public var mebibytesPerSecond: Int64?
    public var mode: QMPDirtyRateMode
    /// How long it measures.
    public var measuringSeconds: Int64
    enum CodingKeys: String, CodingKey {
        case status, mode
        case mebibytesPerSecond = "dirty-rate"
        case measuringSeconds = "calc-time"
    }
}

extension QMPCommands {
    public struct CalcDirtyRate: QMPCommand {
        public static let name = "calc-dirty-rate"
        public var seconds: Int
        public var samplePages: Int?
        public var mode: QMPDirtyRateMode?
        enum CodingKeys: String, CodingKey {
            case mode
            case seconds = "calc-time"
            case samplePages = "sample-pages"
        }
    }
    public struct QueryDirtyRate: QMPCommand {
        public typealias Reply = QMPDirtyRate
        public static let name = "query-dirty-rate"
    }
}

extension QMPCommand where Self == QMPCommands.CalcDirtyRate {
    /// Starts to measure how fast the guest changes memory.
    ///
    /// - Parameters:
    ///   - seconds: How long, 1 to 60.
    ///   - samplePages: Pages per GiB in ``QMPDirtyRateMode/pageSampling``, 128 to 16384; QEMU's default is 512.
    public static func calcDirtyRate(seconds: Int = 1, samplePages: Int? = nil, mode: QMPDirtyRateMode? = nil) -> Self {
        Self(seconds: seconds, samplePages: samplePages, mode: mode)
    }
}
extension QMPCommand where Self == QMPCommands.QueryDirtyRate { public static var queryDirtyRate: Self { Self() } }
