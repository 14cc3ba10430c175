import ClusterModel
import ClusterStore
import Foundation
import Testing

@testable import StoreWriter

/// Gives a folder that is gone afterwards.
///
/// - Parameter inMemory: For tests that make hundreds of files and work out themselves what a disk would lose: a sync costs nothing there.
func withFolder<Result>(inMemory: Bool = false, _ body: (String) async throws -> Result) async throws -> Result {
    let isThere = inMemory && FileManager.default.isWritableFile(atPath: "/dev/shm")
    let folder = (isThere ? "/dev/shm" : NSTemporaryDirectory()) + "/store-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
}

func openStore(_ folder: String) async throws(StoreError) -> ConfigurationStore {
    try await ConfigurationStore.open(folder: folder, cluster: SampleLog.cluster, node: SampleLog.node)
}

/// The files of a store as they are at one moment.
struct FileSet {
    static let names = ["cluster.sqlite", "cluster.sqlite-wal", "cluster.sqlite.mark"]
    /// nil where there is no file.
    var contents: [String: [UInt8]] = [:]

    init(of folder: String) {
        for name in Self.names { contents[name] = FileManager.default.contents(atPath: folder + "/" + name).map { Array($0) } }
    }

    var database: [UInt8] {
        get { contents["cluster.sqlite"] ?? [] }
        set { contents["cluster.sqlite"] = newValue }
    }
    var log: [UInt8] {
        get { contents["cluster.sqlite-wal"] ?? [] }
        set { contents["cluster.sqlite-wal"] = newValue }
    }
    var mark: [UInt8]? {
        get { contents["cluster.sqlite.mark"] }
        set { contents["cluster.sqlite.mark"] = newValue }
    }

    /// Writes them into an emptied folder.
    func write(to folder: String) throws {
        if FileManager.default.fileExists(atPath: folder) { try FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, bytes) in contents { try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name)) }
    }
}

extension [DurableChange] {
    /// Whether the store syncs such a batch before it answers.
    var isSynced: Bool { contains { if case .commit = $0 { false } else { true } } }
}

/// Runs ``StoreWriter`` in a process of its own.
enum Writer {
    static var program: String {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/StoreWriter"
    }

    struct Outcome {
        var status: Int32
        /// Whole lines only.
        var lines: [String]
        var errors: String
        /// The last step it said was durable.
        var acknowledged: Int? { lines.compactMap { Int($0) }.last }
    }

    /// - Parameter killAfter: How long it may live; nil waits up to a minute for its own end.
    static func run(_ command: [String], killAfter: Duration? = nil, scratch: String) async throws -> Outcome {
        let (output, errors) = (scratch + "/output", scratch + "/errors")
        for path in [output, errors] { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        // Files, not pipes: what was written before the kill stays, and nobody waits for a reader.
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        try process.run()
        let deadline = ContinuousClock.now + (killAfter ?? .seconds(60))
        while process.isRunning, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(killAfter == nil ? 10 : 1)) }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        let text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
        let complaints = String(decoding: FileManager.default.contents(atPath: errors) ?? Data(), as: UTF8.self)
        return Outcome(
            status: process.terminationStatus,
            lines: text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init),
            errors: complaints)
    }
}
