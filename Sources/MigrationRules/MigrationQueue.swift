import ClusterModel
import Foundation

/// Lets a limited number of migrations leave a node at a time, in the order they were asked for.
public struct MigrationQueue: Hashable, Sendable {
    public let limit: Int
    private var waiting: [UUID] = []
    private var running: Set<UUID> = []

    /// - Parameter limit: At least 1.
    public init(limit: Int) {
        precondition(limit >= 1, "a queue that lets \(limit) through lets none through")
        self.limit = limit
    }

    public mutating func add(_ migration: UUID) { waiting.append(migration) }

    /// Takes one out, whether it waited or ran.
    public mutating func remove(_ migration: UUID) {
        waiting.removeAll { $0 == migration }
        running.remove(migration)
    }

    /// Those that may begin now; they count as running from here on.
    public mutating func admit() -> [UUID] {
        let count = min(limit - running.count, waiting.count)
        guard count > 0 else { return [] }
        let admitted = Array(waiting.prefix(count))
        waiting.removeFirst(count)
        running.formUnion(admitted)
        return admitted
    }

    /// How many stand before it; nil when it does not wait.
    public func position(of migration: UUID) -> Int? { waiting.firstIndex(of: migration) }
}
