import Corosync

/// A quorum device that votes as it is told: every 250 ms and at once for every new ring.
actor ProbeDevice {
    private let name: String
    private let votequorum: Votequorum
    private var vote: Bool?
    private var ring: RingID?
    private var task: Task<Void, Never>?

    init(name: String, votequorum: Votequorum) {
        self.name = name
        self.votequorum = votequorum
    }

    func start(vote: Bool) async throws {
        self.vote = vote
        try await votequorum.registerDevice(name)
        task = Task { [weak self] in
            while !Task.isCancelled {
                await self?.poll()
                try? await Task.sleep(for: .milliseconds(250))
            }
        }
    }
    func stop() { task?.cancel() }

    /// nil stops voting without a word.
    func set(vote: Bool?) async {
        self.vote = vote
        await poll()
    }
    func follow(_ ring: RingID) async {
        self.ring = ring
        await poll()
    }

    private func poll() async {
        guard let vote, let ring else { return }
        do throws(CorosyncError) { try await votequorum.poll(device: name, castsVote: vote, for: ring) } catch {
            Report(["event": .string("poll-failed"), "error": .string("\(error)")]).print()
        }
    }
}
