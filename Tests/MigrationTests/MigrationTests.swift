import Foundation
import Glibc
import Testing

/// A machine on a shared SAN moves between two hosts, with real node services, QEMU and SAN, while a peer keeps talking to it.
///
/// All suites share one lab and run one test after the other: each needs both nodes and an undisturbed network.
@Suite(.serialized, .lab, .enabled(if: geteuid() == 0, "The lab needs root."))
struct MigrationTests {}

extension Trait where Self == ConditionTrait {
    /// The faults run with `make test-faults`. One guest in some dozen capped migrations is found with a stale page of memory (a kernel panic
    /// right after it resumed), and until the cause is known that would fail unrelated changes.
    static var faults: Self {
        .enabled(if: ProcessInfo.processInfo.environment["APUS_FAULTS"] == "1", "Fault tests are not run: use make test-faults.")
    }
}
