import Foundation
import Glibc
import Testing

/// A machine on a shared SAN moves between two hosts, with real node services, QEMU and SAN, while a peer keeps talking to it.
///
/// All suites share one lab and run one test after the other: each needs both nodes and an undisturbed network.
@Suite(.serialized, .lab, .enabled(if: geteuid() == 0, "The lab needs root."))
struct MigrationTests {}

extension Trait where Self == ConditionTrait {
    /// The faults take about six minutes, so they run with `make test-faults` and not with each `make test`. What made guests panic in them is
    /// understood (Docs/decisions/tcg-loses-writes.md).
    static var faults: Self {
        .enabled(if: ProcessInfo.processInfo.environment["APUS_FAULTS"] == "1", "Fault tests are not run: use make test-faults.")
    }
}
