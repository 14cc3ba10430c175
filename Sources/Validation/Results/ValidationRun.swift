import ClusterModel
import Foundation

/// One validation from beginning to end: what a report is made of, and what is kept.
public struct ValidationRun: Hashable, Sendable, Codable, Identifiable {
    /// Rises when a reader of the JSON would misunderstand it. Fields that are only added do not raise it.
    public static let currentFormat = 1

    public var format: Int
    public var id: UUID
    public var apusVersion: String
    public var began: WallTime
    public var milliseconds: Int
    public var subject: ValidationSubject
    public var nodes: [ValidatedNode]
    public var disks: [ValidatedDisk]
    public var options: ValidationOptions
    /// In the order of the catalogue. Tests that were not chosen are absent.
    public var results: [TestResult]

    public init(
        id: UUID, apusVersion: String, began: WallTime, milliseconds: Int, subject: ValidationSubject, nodes: [ValidatedNode],
        disks: [ValidatedDisk], options: ValidationOptions, results: [TestResult]
    ) {
        format = Self.currentFormat
        self.id = id
        self.apusVersion = apusVersion
        self.began = began
        self.milliseconds = milliseconds
        self.subject = subject
        self.nodes = nodes
        self.disks = disks
        self.options = options
        self.results = results
    }

    public func result(of id: ValidationTestID) -> TestResult? { results.first { $0.id == id } }
    public func results(in category: ValidationCategory) -> [TestResult] { results.filter { $0.id.category == category } }
    public func count(_ verdict: Verdict) -> Int { results.count { $0.verdict == verdict } }
    /// Whether every test of the catalogue was chosen.
    public var isComplete: Bool { options.skipped.isEmpty }
}

/// A node of a run.
public struct ValidatedNode: Hashable, Sendable, Codable {
    public var name: NodeName
    public var address: String
    /// Its processor, memory, distribution: a line under its name.
    public var summary: String
    /// Why it did not answer; nil when it did.
    public var problem: String?
    public init(name: NodeName, address: String, summary: String = "", problem: String? = nil) {
        self.name = name
        self.address = address
        self.summary = summary
        self.problem = problem
    }
}

/// A shared disk of a run.
public struct ValidatedDisk: Hashable, Sendable, Codable {
    public var id: DiskID
    /// nil when the nodes do not agree on it.
    public var lun: Int?
    public var byteCount: UInt64
    /// "APUS WITNESS".
    public var model: String
    /// What it carries: a sentence or less.
    public var content: String
    public init(id: DiskID, lun: Int?, byteCount: UInt64, model: String, content: String) {
        self.id = id
        self.lun = lun
        self.byteCount = byteCount
        self.model = model
        self.content = content
    }
}

/// What the operator asked for.
public struct ValidationOptions: Hashable, Sendable, Codable {
    /// As written: `all`, `storage`, `network/latency`.
    public var selection: [String]
    /// Tests of the catalogue that were not chosen.
    public var skipped: [ValidationTestID]
    /// Tests that were chosen and that the version of Apus that ran could not carry out; nil in reports of older versions.
    public var unavailable: [ValidationTestID]?
    /// Disks that the operator named to be written to.
    public var disks: [DiskID]
    /// Who asked, as the API knows the caller; empty when unknown.
    public var requestedBy: String
    public init(
        selection: [String] = ["all"], skipped: [ValidationTestID] = [], unavailable: [ValidationTestID] = [], disks: [DiskID] = [],
        requestedBy: String = ""
    ) {
        self.selection = selection
        self.skipped = skipped
        self.unavailable = unavailable.isEmpty ? nil : unavailable
        self.disks = disks
        self.requestedBy = requestedBy
    }
}
