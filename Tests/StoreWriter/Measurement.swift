import ClusterModel
import ClusterStore
import Foundation

/// What a durable change costs, beside what a sync costs on the same disk: in turn, so that both see the same disk.
struct Measurement {
    var folder: String
    /// Of each.
    var count: Int

    func run(_ say: (String) -> Void) async throws {
        let store = try await ConfigurationStore.open(folder: folder, cluster: SampleLog.cluster, node: SampleLog.node)
        var log = SampleLog(seed: 0)
        try await store.make(log.next())
        var image = log.image
        let file = open(folder + "/sync", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw WriterError("cannot make \(folder)/sync") }
        defer { close(file) }
        // Allocated before, as SQLite's log is once it has begun anew: then a sync writes the data and nothing about the file.
        let page = [UInt8](repeating: 7, count: 4_096)
        for offset in 0..<256 { try write(page, to: file, at: offset) }
        var (syncs, ones, batches): ([Duration], [Duration], [Duration]) = ([], [], [])
        for number in 0..<count {
            syncs.append(try ContinuousClock().measure { try write(page, to: file, at: number % 256) })
            for size in [1, 64] {
                let entries = (0..<size).map { _ in next(after: &image) }
                let time = try await ContinuousClock().measure { try await store.make([.append(entries)]) }
                if size == 1 { ones.append(time) } else { batches.append(time) }
            }
        }
        try await store.close()
        for (name, times) in [("write of 4 KiB and fdatasync", syncs), ("append of 1 KiB", ones), ("append of 64 x 1 KiB", batches)] {
            let sorted = times.sorted()
            guard let middle = sorted.dropFirst(count / 2).first, let late = sorted.dropFirst(count * 99 / 100).first else { continue }
            say("\(name): p50 \(milliseconds(middle)) ms, p99 \(milliseconds(late)) ms")
        }
    }

    private func next(after image: inout ReplicaImage) -> LogEntry {
        let entry = LogEntry.chained(
            after: image.position.chain, index: image.position.lastIndex + 1, epoch: image.position.adopted,
            request: RequestID(node: SampleLog.node, incarnation: 1, number: image.position.lastIndex),
            payload: [UInt8](repeating: 42, count: 1_024))
        image.position.lastIndex = entry.index
        image.position.chain = entry.chain
        return entry
    }

    private func write(_ bytes: [UInt8], to file: Int32, at page: Int) throws {
        let count = bytes.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, page * 4_096) }
        guard count == bytes.count, fdatasync(file) == 0 else { throw WriterError("cannot write and sync \(folder)/sync") }
    }

    private func milliseconds(_ time: Duration) -> String { String(format: "%.2f", time / .milliseconds(1)) }
}
