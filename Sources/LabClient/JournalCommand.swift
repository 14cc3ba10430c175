import ArgumentParser
import FoundationEssentials
import Glibc

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Reads what a guest's disk writer left on its disk and says whether it proves one writer at a time.",
        discussion: """
            Prints {"good", "records", "first", "last", "boots", "missing", "duplicates", "badChecksums", "misplaced",
            "longestPauseMs", "problems"}. Exit code 1 when the journal is broken or empty.
            """)

    @Argument(help: "Disk image or device.") var file: String
    @Option(help: "Where the journal begins, in bytes.") var offset: UInt64 = 1 << 20
    @Option(help: "How long it is, in bytes.") var bytes: UInt64 = 16 << 20

    func validate() throws {
        guard bytes >= 1_024, bytes <= 1 << 30, bytes % 512 == 0 else {
            throw ValidationError("--bytes must be a multiple of 512 from 1024 to 1 GiB")
        }
        guard offset <= UInt64(Int64.max) - bytes else { throw ValidationError("--offset is too large") }
    }

    func run() throws {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("read \(file)") }
        defer { _ = close(descriptor) }
        let ring = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(bytes), alignment: 4_096)
        defer { ring.deallocate() }
        var filled = 0
        while filled < ring.count {
            let count = pread(descriptor, ring.baseAddress! + filled, ring.count - filled, Int(offset) + filled)
            guard count >= 0 else { throw SystemError("read \(file)") }
            guard count > 0 else {
                throw SystemError("read \(file): it ends at byte \(offset + UInt64(filled)), inside the journal", code: EINVAL)
            }
            filled += count
        }
        let report = JournalReport(ring: UnsafeRawBufferPointer(ring))
        try printJSON(Result(good: report.isGood, report: report))
        if !report.isGood { throw ExitCode(1) }
    }

    struct Result: Encodable {
        var good: Bool
        var report: JournalReport
        enum Keys: CodingKey { case good }
        func encode(to encoder: any Encoder) throws {
            try report.encode(to: encoder)
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(good, forKey: .good)
        }
    }
}
