/// Something that a test waited for in vain.
public struct Unexpected: Error, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}

/// Waits for something to become true.
///
/// - Returns: Whether it did.
public func eventually(
    within seconds: Double, every milliseconds: Int = 50, _ isTrue: () async throws -> Bool
) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try await isTrue() { return true }
        try await Task.sleep(for: .milliseconds(milliseconds))
    }
    return try await isTrue()
}
