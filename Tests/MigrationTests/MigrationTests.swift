import Foundation
import Glibc
import Testing

/// A machine on a shared SAN moves between two hosts, with real node services, QEMU and SAN, while a peer keeps talking to it.
///
/// All suites share one lab and run one test after the other: each needs both nodes and an undisturbed network.
@Suite(.serialized, .lab, .enabled(if: geteuid() == 0, "The lab needs root."))
struct MigrationTests {}
