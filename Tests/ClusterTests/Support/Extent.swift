import Foundation

/// How much is played: what fits into a few minutes, or with `APUS_CLUSTER=1` everything.
enum Extent {
    static let isFull = ProcessInfo.processInfo.environment["APUS_CLUSTER"] != nil

    /// The first of the cases, which is the one that hurts most, or all of them.
    static func cases<Case: Sendable>(_ all: Case...) -> [Case] { isFull ? all : Array(all.prefix(1)) }
}
