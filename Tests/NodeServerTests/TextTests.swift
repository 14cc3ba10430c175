import ArgumentParser
import ClusterModel
import Foundation
import Testing

@testable import apus

@Suite("Numbers, tables and lines for people")
struct TextTests {
    @Test(
        "Sizes",
        arguments: [
            (0, "0 B"), (1_023, "1023 B"), (1_024, "1 KiB"), (1_536, "1.5 KiB"), (512 << 20, "512 MiB"), (1_023 << 20, "1023 MiB"),
            ((1 << 30) - 1, "1 GiB"), (3 << 29, "1.5 GiB"), (20 << 30, "20 GiB"), (UInt64.max, "16 EiB"),
        ] as [(UInt64, String)])
    func sizes(count: UInt64, text: String) { #expect(Units.bytes(count) == text) }

    @Test(
        "Times",
        arguments: [
            (0, "0 ms"), (0.42, "0.4 ms"), (9.96, "10 ms"), (41.5, "42 ms"), (999.4, "999 ms"), (999.5, "1.00 s"), (2_345.5, "2.35 s"),
            (12_340, "12.3 s"), (59_990, "1 min"), (72_000, "1 min 12 s"), (3_600_000, "1 h"), (5_400_000, "1 h 30 min"),
            (1e300, "more than 100 h"), (-1, "unknown"), (.nan, "unknown"), (.infinity, "unknown"),
        ] as [(Double, String)])
    func times(milliseconds: Double, text: String) { #expect(Units.milliseconds(milliseconds) == text) }

    @Test(
        "What operators write for a time",
        arguments: [("300ms", 300), ("1.5s", 1_500), ("2 min", 120_000), ("1MS", 1), ("60min", 3_600_000)])
    func readTimes(text: String, milliseconds: Int) throws { #expect(try Units.parseMilliseconds(text) == milliseconds) }

    @Test(
        "What is no time", arguments: ["", "300", "ms", "-1ms", "0ms", "61min", "1e9ms", "1h", "0x10ms", "1..5s", "999999999999999999999s"])
    func refusedTimes(text: String) { #expect(throws: ValidationError.self) { try Units.parseMilliseconds(text) } }

    @Test(
        "What operators write for a bandwidth",
        arguments: [("1Gbit", 1_000_000_000), ("500 Mbit/s", 500_000_000), ("2.5gbit", 2_500_000_000), ("1000kbit", 1_000_000)]
            as [(String, UInt64)])
    func readRates(text: String, rate: UInt64) throws { #expect(try Units.parseBitsPerSecond(text) == rate) }

    @Test("What is no bandwidth", arguments: ["", "1", "1G", "1GB", "0Gbit", "-1Gbit", "999999Tbit", "1bit", "Gbit", "nanGbit"])
    func refusedRates(text: String) { #expect(throws: ValidationError.self) { try Units.parseBitsPerSecond(text) } }

    @Test("Columns are aligned, nothing is a dash, and text from a node cannot break the table")
    func tables() {
        var table = Table("NAME", ">SIZE", "NOTE")
        table.add("a", "1 MiB", nil)
        table.add("longer", "512 MiB", "two\nlines \u{1B}[31mred")
        #expect(table.text(none: "") == "NAME       SIZE  NOTE\na         1 MiB  -\nlonger  512 MiB  two lines [31mred")
        #expect(Table("A").text(none: "nothing") == "nothing")
    }

    @Test(
        "Addresses of nodes",
        arguments: [
            ("10.71.0.2", "10.71.0.2", 7_060), ("n2:7061", "n2", 7_061), ("[fd00::2]:7061", "fd00::2", 7_061),
            ("[fd00::2]", "fd00::2", 7_060),
            ("fd00::2", "fd00::2", 7_060),
        ])
    func addresses(text: String, address: String, port: Int) throws {
        let parsed = try ConnectionOptions.parse(address: text)
        #expect(parsed.address == address)
        #expect(parsed.port == port)
    }

    @Test(
        "What is no address",
        arguments: ["", ":7060", "n2:", "n2:0", "n2:65536", "n2:x", "[fd00::2", "[::1]x", "a b", "n2/../x", "user@n2"])
    func refusedAddresses(text: String) { #expect(throws: ValidationError.self) { try ConnectionOptions.parse(address: text) } }

    @Test("The bar shows the pass, the rest and what to expect, and fits the terminal")
    func bar() {
        #expect(
            ProgressBar.line(Samples.migration, width: 200)
                == "web n1 > n2 [###############-----]  75 %  pass 2, 256 MiB left at 100 MiB/s, guest changes 20 MiB/s, "
                + "blackout about 121 ms, guest slowed by 20 %")
        #expect(ProgressBar.line(Samples.migration, width: 40).count == 40)
        var status = Samples.migration
        status.progress = MigrationProgress(phase: .committing)
        #expect(ProgressBar.line(status, width: 80) == "web n1 > n2 handing over ownership")
        // More left than there is in all, as a node that lies or a racing counter may say.
        status.progress = MigrationProgress(phase: .transferring, pass: 1, totalBytes: 1, remainingBytes: .max)
        #expect(ProgressBar.line(status, width: 60).contains("[--------------------]   0 %"))
    }

    @Test("The result tells what it cost")
    func result() {
        #expect(
            MigrationText.result(Samples.record) == """
                Live migration of web from n1 to n2 completed.
                  Total             2.35 s
                  Blackout          42 ms
                  Visible gap       52 ms
                  Sent              600 MiB in 3 passes
                  Frames forwarded  12
                  Owner             n2, running
                web runs on n2.
                """)
    }

    @Test("Every phase has words of its own")
    func phases() {
        let lines = MigrationPhase.allCases.map { MigrationText.line(MigrationProgress(phase: $0, pass: 1)) }
        #expect(Set(lines).count == MigrationPhase.allCases.count)
    }
}
