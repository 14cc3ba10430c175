import Foundation
import Testing

/// Tests with real Corosyncs. One after the other: side by side they would lose tokens for want of the processor.
@Suite(.serialized, .enabled(if: geteuid() == 0, "Namespaces and Corosync need root."), .timeLimit(.minutes(2)))
enum RealCorosync {}
