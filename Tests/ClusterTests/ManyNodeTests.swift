import ClusterAPI
import ClusterModel
import Foundation
import Lab
import Testing

/// Sixteen nodes, as many as Apus is made for: they form a cluster and stay one, also without one of them.
///
/// On two cores the sixteen Corosyncs leave little for anything else; how long a node takes to come back there says nothing.
@Suite(
    .serialized, .cluster(nodes: 16, hasWitness: true), .enabled(if: geteuid() == 0, "The lab needs root."),
    .enabled(if: Extent.isFull, "Needs most of the machine; APUS_CLUSTER=1 asks for it."))
struct ManyNodeTests {
    @Test("they stay, and go on when one is lost")
    func formAndStay() async throws {
        try await story { stage in
            try await Task.sleep(for: .seconds(20))
            try await stage.wait(open: stage.nodes, "after 20 s")
            let lost = stage.nodes[7]
            try await stage.powerOff([lost])
            try await stage.wait(open: stage.others(lost), "one lost")
        }
    }
}
