import ClusterModel
import ClusterStore
import Foundation

/// `StoreWriter FOLDER SEED STEPS COUNT`: goes on with the sample log of a seed after some steps, and says which step was made durable, a
/// line each, until COUNT are done or somebody kills it.
///
/// `StoreWriter FOLDER COUNT measure`: how long a sync and changes of 1 KiB take on the disk of the folder.
///
/// `StoreWriter FOLDER SEED fill`: goes on until the disk is full, shows that nothing was lost and that it goes on once there is room.
@main
struct Main {
    static func main() async {
        do { try await run() } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }

    private static func run() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 4, let seed = UInt64(arguments[2]) else {
            throw WriterError("usage: StoreWriter FOLDER SEED STEPS COUNT, StoreWriter FOLDER COUNT measure, StoreWriter FOLDER SEED fill")
        }
        if arguments[3] == "measure" { return try await Measurement(folder: arguments[1], count: Int(clamping: seed)).run(say) }
        if arguments[3] == "fill" { return try await fill(arguments[1], seed: seed) }
        guard arguments.count == 5, let steps = Int(arguments[3]), let count = Int(arguments[4]) else { throw WriterError("no number") }
        let store = try await ConfigurationStore.open(folder: arguments[1], cluster: SampleLog.cluster, node: SampleLog.node)
        var log = SampleLog(seed: seed, steps: steps)
        say("open \(steps)")
        for _ in 0..<count {
            try await store.make(log.next())
            say("\(log.step)")
        }
        try await store.close()
    }

    /// The folder is on a small file system, with a file `filler` to remove.
    private static func fill(_ folder: String, seed: UInt64) async throws {
        var store = try await ConfigurationStore.open(folder: folder, cluster: SampleLog.cluster, node: SampleLog.node)
        var log = SampleLog(seed: seed)
        var before = log
        var batch: [DurableChange] = []
        var refusal: StoreError?
        while refusal == nil, log.step < 100_000 {
            before = log
            batch = log.next()
            do { try await store.make(batch) } catch { refusal = error }
        }
        guard case .full(_, let free)? = refusal else { throw WriterError("expected a full disk, got \(String(describing: refusal))") }
        say("full after \(before.step) steps, \(free) bytes free")
        try await expect(store, before.image, "right after the refusal")
        // Also a restart on the full disk finds all of it.
        try await store.close()
        store = try await ConfigurationStore.open(folder: folder, cluster: SampleLog.cluster, node: SampleLog.node)
        try await expect(store, before.image, "after a restart on the full disk")
        try FileManager.default.removeItem(atPath: folder + "/filler")
        try await store.make(batch)
        for _ in 0..<20 { try await store.make(log.next()) }
        try await expect(store, log.image, "once there was room")
        try await store.close()
        store = try await ConfigurationStore.open(folder: folder, cluster: SampleLog.cluster, node: SampleLog.node)
        try await expect(store, log.image, "after the last restart")
        say("went on")
    }

    private static func expect(_ store: ConfigurationStore, _ image: ReplicaImage, _ moment: String) async throws {
        guard try await store.load() == image else { throw WriterError("something else is in the store \(moment)") }
    }

    /// Unbuffered: a line is out before the next step begins.
    private static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}

struct WriterError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
