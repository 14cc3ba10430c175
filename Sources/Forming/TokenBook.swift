import NodeIdentity

/// The tokens that a node has shown, as hashes. In memory: a restart of the service makes them void.
///
/// A value: time comes in, and whoever keeps it decides when.
struct TokenBook: Sendable {
    typealias Instant = ContinuousClock.Instant
    typealias ID = Int

    private struct Token {
        var id: ID
        var secret: JoinSecret
        var expires: Instant
        var isSpent = false
    }
    private var tokens: [Token] = []
    private var nextID: ID = 1
    private var failures: [Instant] = []

    /// More than an administrator needs at a time; the oldest goes.
    static let most = 16
    /// Wrong secrets within a minute after which others are not looked at. Guessing 128 bits is hopeless anyway; this keeps whoever
    /// tries from filling the log. A right secret is never refused for the sake of wrong ones.
    static let mostFailures = 10
    static let failureWindow = Duration.seconds(60)

    enum Refusal: Error, Hashable {
        case unknown
        case tooMany
        case expired
        case spent
    }

    mutating func add(secret: [UInt8], expires: Instant) {
        tokens.append(Token(id: nextID, secret: JoinSecret(secret), expires: expires))
        nextID += 1
        if tokens.count > Self.most { tokens.removeFirst() }
    }

    /// Uses a token up.
    mutating func spend(secret: some Sequence<UInt8>, now: Instant) throws(Refusal) -> ID {
        let found = try find(secret: secret, now: now)
        tokens[found].isSpent = true
        return tokens[found].id
    }

    /// Whether a token may be used; it may be used again afterwards.
    mutating func check(secret: some Sequence<UInt8>, now: Instant) throws(Refusal) { _ = try find(secret: secret, now: now) }

    private mutating func find(secret: some Sequence<UInt8>, now: Instant) throws(Refusal) -> Int {
        // Every token is compared with, so that the time tells nothing about which one is close.
        var found: Int?
        for index in tokens.indices where tokens[index].secret.matches(secret) { found = index }
        guard let found else {
            failures.removeAll { now - $0 > Self.failureWindow }
            guard failures.count < Self.mostFailures else { throw .tooMany }
            failures.append(now)
            throw .unknown
        }
        guard tokens[found].expires > now else { throw .expired }
        guard !tokens[found].isSpent else { throw .spent }
        return found
    }

    /// The join that it was spent on was taken back in an orderly way: it may be used again while it lasts.
    mutating func giveBack(_ id: ID) {
        for index in tokens.indices where tokens[index].id == id { tokens[index].isSpent = false }
    }

    /// Voids them all: the node is a member now.
    mutating func removeAll() { tokens = [] }
}
