import ClusterModel
import Foundation
import Glibc
import Synchronization
import Validation

/// A folder that a run made on a share.
struct ShareTrace: Codable, Hashable, Sendable {
    var id: UUID
    var run: UUID
    /// See ``ScratchTrace``.
    var service: UUID
    var folder: String

    /// The folder is the run's own; other nodes remove it at the same time.
    func removeFolder() async throws {
        let folder = folder
        try await BlockingWork.run("Removing \(folder)", within: ProbePatience.command) {
            for attempt in 1...3 {
                do { return try FileManager.default.removeItem(atPath: folder) } catch {
                    if access(folder, F_OK) != 0, errno == ENOENT { return }
                    if attempt == 3 { throw ProbeProblem("\(folder) cannot be removed: \(error.localizedDescription)") }
                }
            }
        }
    }
}

/// What a node tries on a file share. All of it lies in a folder of the run's own.
enum ShareProbes {
    private static let limit = ProbePatience.probe
    private static let longest = 5_000
    /// So many are tried however long they take: without any there is nothing to judge.
    private static let fewest = 5
    // F_OFD_SETLK (fcntl.h, Linux 3.15), which Foundation does not show.
    private static let setLock: Int32 = 37

    static func write(_ question: ShareWriteQuestion, _ context: ProbeContext) async throws -> ShareWriteQuestion.Evidence {
        let path = try await prepare(question.file, context)
        let text = [UInt8](question.text.utf8.prefix(4_096))
        let syncs = min(max(question.syncs, 0), 1_000)
        return try await BlockingWork.run("Writing \(path)", within: limit) {
            let file = try File(path, O_WRONLY | O_CREAT | O_TRUNC)
            try file.write(text)
            var times: [Double] = []
            for _ in 0..<syncs {
                try file.write([UInt8](repeating: 0x61, count: 4_096))
                let began = ContinuousClock.now
                guard fsync(file.descriptor) == 0 else { throw file.problem("synced") }
                times.append((ContinuousClock.now - began) / .milliseconds(1))
            }
            try file.closeNow()
            return .init(syncs: times)
        }
    }

    static func read(_ question: ShareReadQuestion, _ context: ProbeContext) async throws -> ShareReadQuestion.Evidence {
        let path = try path(question.file, context)
        return try await BlockingWork.run("Reading \(path)", within: limit) {
            .init(text: try File.contents(path).map { String(decoding: $0, as: UTF8.self) })
        }
    }

    static func lock(_ question: ShareLockQuestion, _ context: ProbeContext) async throws -> ShareLockQuestion.Evidence {
        let path = try await prepare(question.file, context)
        let take: @Sendable () throws -> File? = {
            let file = try File(path, O_RDWR | O_CREAT)
            var request = flock()
            request.l_type = Int16(F_WRLCK)
            request.l_whence = Int16(SEEK_SET)
            guard fcntl(file.descriptor, setLock, &request) != 0 else { return file }
            guard errno == EAGAIN || errno == EACCES else { throw file.problem("locked") }
            return nil
        }
        let held = try await BlockingWork.run("Locking \(path)", within: limit, abandoned: { $0?.abandon() }, take)
        guard let held else { return .init(lock: nil) }
        do {
            return .init(
                lock: try await context.held.hold(
                    for: context.run, lifetime: ProbePatience.answer, "released a lock on \(question.file.share)"
                ) {
                    held.abandon()
                })
        } catch {
            held.abandon()
            throw error
        }
    }

    static func unlock(_ question: ShareUnlockQuestion, _ context: ProbeContext) async throws -> ShareUnlockQuestion.Evidence {
        try await context.held.giveBack(question.lock)
        return .init()
    }

    static func replace(_ question: ShareReplaceQuestion, _ context: ProbeContext) async throws -> ShareReplaceQuestion.Evidence {
        let path = try await prepare(question.file, context)
        let run = context.run
        let milliseconds = min(max(question.milliseconds, 0), longest)
        return try await BlockingWork.run("Replacing \(path)", within: limit) {
            let end = ContinuousClock.now + .milliseconds(milliseconds)
            var count = 0
            while count < fewest || ContinuousClock.now < end {
                let file = try File(path + "-new", O_WRONLY | O_CREAT | O_TRUNC)
                try file.write(ScratchPattern(run: run, sequence: UInt64(count + 1)).bytes(4_096))
                try file.closeNow()
                guard rename(path + "-new", path) == 0 else {
                    throw ProbeProblem("\(path) cannot be replaced: \(String(cString: strerror(errno))).")
                }
                count += 1
            }
            return .init(replacements: count)
        }
    }

    static func watch(_ question: ShareWatchQuestion, _ context: ProbeContext) async throws -> ShareWatchQuestion.Evidence {
        let path = try path(question.file, context)
        let run = context.run
        let milliseconds = min(max(question.milliseconds, 0), longest)
        return try await BlockingWork.run("Watching \(path)", within: limit) {
            let end = ContinuousClock.now + .milliseconds(milliseconds)
            var evidence = ShareWatchQuestion.Evidence(reads: 0, seen: 0, mixed: 0, missing: 0)
            var last: UInt64?
            while ContinuousClock.now < end {
                guard let bytes = try File.contents(path) else {
                    if last != nil { evidence.missing += 1 } else { usleep(1_000) }
                    continue
                }
                evidence.reads += 1
                guard bytes.count == 4_096, case .whole(let sequence) = ScratchPattern.read(bytes, run: run) else {
                    evidence.mixed += 1
                    continue
                }
                if sequence != last { evidence.seen += 1 }
                last = sequence
            }
            return evidence
        }
    }

    // MARK: Folder

    private static func path(_ file: ShareFile, _ context: ProbeContext) throws -> String {
        guard let path = file.path(run: context.run) else { throw ProbeProblem("\"\(file.share)\" is no mount point.") }
        return path.file
    }

    /// Makes the run's folder, having written down that it is to be removed.
    private static func prepare(_ file: ShareFile, _ context: ProbeContext) async throws -> String {
        guard let path = file.path(run: context.run) else { throw ProbeProblem("\"\(file.share)\" is no mount point.") }
        let share = file.share
        let traces = ProbeTraces(context)
        if !traces.shares().contains(where: { $0.run == context.run && $0.folder == path.folder }) {
            let trace = ShareTrace(id: UUID(), run: context.run, service: ProbeTraces.service, folder: path.folder)
            try traces.write(trace)
            do {
                _ = try await context.held.hold(for: context.run, lifetime: .seconds(120), "removed the files of the tests from \(share)") {
                    guard traces.holds(trace) else { return }
                    try await trace.removeFolder()
                    traces.remove(trace)
                }
            } catch {
                traces.remove(trace)
                throw error
            }
        }
        try await BlockingWork.run("Making a folder on \(share)", within: limit) {
            guard access(share, F_OK) == 0 else { throw ProbeProblem("There is no \(share) on \(context.node).") }
            guard mkdir(path.folder, 0o700) == 0 || errno == EEXIST else {
                throw ProbeProblem("\(context.node) cannot write to \(share): \(String(cString: strerror(errno))).")
            }
        }
        return path.file
    }
}

/// An open file that closes itself.
private final class File: Sendable {
    let descriptor: Int32
    private let path: String
    private let isClosed = Mutex(false)

    init(_ path: String, _ flags: Int32) throws {
        self.path = path
        descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw ProbeProblem("\(path) cannot be opened: \(String(cString: strerror(errno))).") }
    }
    deinit { abandon() }

    func problem(_ verb: String) -> ProbeProblem { ProbeProblem("\(path) cannot be \(verb): \(String(cString: strerror(errno))).") }

    func write(_ bytes: [UInt8]) throws {
        guard Foundation.write(descriptor, bytes, bytes.count) == bytes.count else { throw problem("written") }
    }

    /// The server's complaint about what was written may come only now.
    func closeNow() throws {
        let isFirst = isClosed.withLock { closed in
            defer { closed = true }
            return !closed
        }
        guard !isFirst || close(descriptor) == 0 else { throw problem("closed") }
    }
    func abandon() { try? closeNow() }

    /// nil when there is no such file.
    static func contents(_ path: String) throws -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            // ESTALE: replaced between looking it up and opening it, on a file server; it is there all the same.
            if errno == ENOENT || errno == ESTALE { return nil }
            throw ProbeProblem("\(path) cannot be opened: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Foundation.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw ProbeProblem("\(path) cannot be read: \(String(cString: strerror(errno))).") }
        return Array(bytes.prefix(count))
    }
}
