import ClusterModel
import Foundation
import Testing

@testable import Validation

@Suite("Judges of file shares")
struct ShareJudgeTests {
    static let (n1, n2) = (NodeName(unchecked: "n1"), NodeName(unchecked: "n2"))
    static let share = "/srv/witness"
    static func verdict(_ test: ValidationTest, _ outcome: TestOutcome) -> Verdict { TestResult(test, outcome, milliseconds: 0).verdict }

    @Test("Visibility")
    func visibility() {
        func outcome(_ read: String?, kind: String? = "nfs4") -> TestOutcome {
            ShareJudges.visibility(
                Self.share, kinds: [(Self.n1, "nfs4"), (Self.n2, kind)],
                [.init(writer: Self.n1, reader: Self.n2, wrote: "n1 2", read: read)])
        }
        #expect(Self.verdict(StorageCatalogue.shareVisibility, outcome("n1 2")) == .pass)
        #expect(Self.verdict(StorageCatalogue.shareVisibility, outcome("n1 2", kind: nil)) == .warning)
        let old = outcome("n1 1")
        #expect(Self.verdict(StorageCatalogue.shareVisibility, old) == .failure)
        #expect(old.findings[0].reason.contains("an older version"))
        let none = outcome(nil)
        #expect(none.headline == "n2 does not see what others write to /srv/witness")
        #expect(none.findings[0].cure?.contains("findmnt /srv/witness") == true)
    }

    @Test("Locks", arguments: [(false, true, Verdict.pass), (true, true, .failure), (false, false, .failure)])
    func locks(meanwhile: Bool, afterwards: Bool, expected: Verdict) {
        let outcome = ShareJudges.locks(
            Self.share, [.init(holder: Self.n1, other: Self.n2, gotMeanwhile: meanwhile, gotAfterwards: afterwards)])
        #expect(Self.verdict(StorageCatalogue.shareLocks, outcome) == expected)
        #expect((outcome.headline != nil) == (expected == .failure))
    }

    @Test(
        "fsync",
        arguments: [
            ([2.0, 3], ["rw"], Verdict.pass), ([0.001, 0.002], ["rw"], .warning), ([2, 3], ["async"], .warning), ([200, 300], [], .warning),
            ([2, 1_500], [], .failure), ([], [], .failure),
        ])
    func sync(times: [Double], options: [String], expected: Verdict) {
        #expect(Self.verdict(StorageCatalogue.shareSync, ShareJudges.sync(Self.share, [(Self.n1, times, options)])) == expected)
    }

    @Test(
        "Rename",
        arguments: [
            (500, 20, 0, 0, Verdict.pass), (500, 20, 1, 0, .failure), (500, 20, 0, 1, .failure), (500, 1, 0, 0, .warning),
            (0, 0, 0, 0, .warning),
        ])
    func rename(replacements: Int, seen: Int, mixed: Int, missing: Int, expected: Verdict) {
        let evidence = ShareWatchQuestion.Evidence(reads: 100, seen: seen, mixed: mixed, missing: missing)
        let outcome = ShareJudges.rename(Self.share, writer: Self.n1, replacements: replacements, [(Self.n2, evidence)])
        #expect(Self.verdict(StorageCatalogue.shareRename, outcome) == expected)
    }

    @Test("Only files in the run's own folder", arguments: ["", "..", "../x", "a/b", "A", ".", "x\0", String(repeating: "a", count: 65)])
    func names(name: String) { #expect(ShareFile(share: "/mnt", name: name).path(run: UUID()) == nil) }

    @Test("A share is a path from the root", arguments: ["mnt", "", "/m\0nt"])
    func shares(share: String) { #expect(ShareFile(share: share, name: "a").path(run: UUID()) == nil) }
}
