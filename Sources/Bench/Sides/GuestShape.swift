/// A guest to be moved. Both sides run the same kernel, initramfs and processor model with the same devices.
struct GuestShape: Sendable {
    var memoryMiB: Int
    /// Rewrites this many megabytes, so many a second; nil leaves the guest idle.
    var dirty: (megabytes: Int, perSecond: Int)?

    /// Words for the guest on its kernel's command line (Docs/lab.md).
    var options: [String] { dirty.map { ["apus.dirty=\($0.megabytes):\($0.perSecond)"] } ?? [] }
    /// What its console says when it is ready to be moved.
    var readySign: String { dirty == nil ? "BOOTED" : "FILLED" }

    static let name = "bench"
    static let mac = "52:54:00:77:01:0a"
    static let address = "10.77.1.10"
    static let cpuModel = "Nehalem"
    static let machineType = "pc-q35-7.2"
    static let diskMiB = 64
}

/// What one move cost.
struct Move: Hashable, Sendable {
    /// The whole command, from its start to its end.
    var seconds: Double
    /// The guest's pause as the tool itself tells it.
    var blackoutMilliseconds: Double?
    var transferredBytes: UInt64?
}

/// A move, and what the client saw of it.
struct Trial: Hashable, Sendable {
    var move: Move
    /// Longest time between two answers over TCP.
    var gapMilliseconds: Double
    /// Datagrams that were never answered.
    var lostDatagrams: Double
}

/// A tool that moves machines, with a lab of its own to do it in.
protocol Side: Sendable {
    /// Name and version, as in the table.
    var name: String { get }
    /// Starts the guest on the first node and waits until it is ready.
    func boot(_ guest: GuestShape) async throws
    /// Moves it to the second node.
    func move() async throws -> Move
    /// Ends the guest wherever it is.
    func remove() async throws
    /// Asks the guest's echo services all the time.
    func startTraffic() async throws -> Traffic
}

extension Side {
    /// Boots, moves and removes a guest. Bounded: every step has a deadline.
    func trial(of guest: GuestShape) async throws -> Trial {
        try await boot(guest)
        do {
            // The guest's start has side effects of its own, on the machine and on its clock.
            try await Task.sleep(for: .seconds(1))
            let traffic = try await startTraffic()
            try await Task.sleep(for: .seconds(1))
            let move = try await self.move()
            // A late retransmission belongs to the move that caused it.
            try await Task.sleep(for: .seconds(1.5))
            let seen = try await traffic.end()
            try await remove()
            return Trial(move: move, gapMilliseconds: seen.gapMilliseconds, lostDatagrams: seen.lostDatagrams)
        } catch {
            // What went wrong first is what matters; a guest that stays behind ends with its lab.
            try? await remove()
            throw error
        }
    }
}

/// Waits for a word on a guest's console.
func waitForConsole(_ path: String, toSay word: String, seconds: Int = 90) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if text(path)?.contains(word) == true { return }
        try await Task.sleep(for: .milliseconds(100))
    }
    let last = (text(path) ?? "").suffix(200)
    throw BenchError("The guest did not say \(word) within \(seconds) s. Its console, \(path), ends: \(last)")
}
