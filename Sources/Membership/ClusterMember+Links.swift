import ClusterModel
import Corosync
import Logging

/// Corosync's links to the others. Losing one of two costs nothing at once, and everything when the second goes; so it is told.
extension ClusterMember {
    /// knet takes about a second itself until it calls a link down.
    private static let linkInterval = Duration.seconds(1)

    /// With one link there is nothing to tell that the ring does not. And Corosync is left alone while rings change.
    private var areLinksOfInterest: Bool {
        standing.isRingDecided && configuration.nodes.values.contains { $0.addresses.rings.count > 1 }
    }

    func followLinks() async {
        while !Task.isCancelled {
            if areLinksOfInterest {
                do throws(CorosyncError) {
                    // A node that is not in the ring is lost as a whole, or starting.
                    let others = standing.ring.filter { $0 != settings.node }.map { CorosyncNodeID(rawValue: UInt32($0.rawValue)) }
                    noted(try await control.links(to: others))
                } catch {
                    // Corosync is gone or hangs, which is told elsewhere; nothing is known of its links.
                    noted([])
                }
            }
            // Ends early when cancelled, which the loop's condition sees.
            try? await Task.sleep(for: Self.linkInterval)
        }
    }

    private func noted(_ links: [LinkStatus]) {
        let broken = links.filter { !$0.isConnected }
            .compactMap { link in NodeID(link.node).map { MembershipStanding.BrokenLink(node: $0, link: link.link) } }
            .filter { standing.ring.contains($0.node) }
        guard broken != standing.brokenLinks else { return }
        for link in broken where !standing.brokenLinks.contains(link) {
            logger.warning("a link of Corosync is down", metadata: ["to": "\(names(link.node))", "link": "\(link.link)"])
        }
        for link in standing.brokenLinks where !broken.contains(link) && standing.ring.contains(link.node) {
            logger.notice("a link of Corosync is up again", metadata: ["to": "\(names(link.node))", "link": "\(link.link)"])
        }
        standing.brokenLinks = broken
        publish()
    }
}
