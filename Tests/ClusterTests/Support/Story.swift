import ClusterModel
import Testing

/// Plays one story on the lab of its suite.
///
/// It begins and ends with a whole cluster. While it goes on all nodes are watched, so that never two partitions are open, and somebody
/// changes the configuration all the time; at the end every change that was acknowledged is in the history of every node.
func story(_ body: (ClusterStage) async throws -> Void) async throws {
    let stage = try ClusterStage.get()
    try await stage.heal()
    try await stage.settle()
    let watch = PartitionWatch(stage)
    let writer = ChangeWriter(stage)
    var failure: (any Error)?
    do {
        try await writer.begun()
        try await body(stage)
    } catch { failure = error }
    try await stage.heal()
    await writer.stop()
    await watch.verify()
    // What went wrong first says most.
    if let failure { throw failure }
    try await stage.settle()
    try await writer.verify()
}
