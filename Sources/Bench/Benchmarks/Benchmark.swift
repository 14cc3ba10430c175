/// Something that can be measured by itself: `apus-bench --only NAME`.
enum Benchmark: String, CaseIterable, Sendable {
    case liveIdle = "live-idle-512M"
    case liveCalm = "live-1G-200M-at-50"
    case liveBusy = "live-1G-200M-at-400"
    case quick = "quick-8G-1G-active"
    case serviceMemory = "apusd-memory-20-machines"

    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    /// What it is compared with runs in a lab of its own.
    var needsVirsh: Bool {
        switch self {
        case .liveIdle, .liveCalm, .liveBusy: true
        case .quick, .serviceMemory: false
        }
    }
}

/// What every benchmark is given.
struct Bench: Sendable {
    var apus: ApusSide
    /// nil when no benchmark that was asked for needs it.
    var virsh: VirshSide?
    var runs: Int
    /// Told in a few words what has been reached.
    var progress: @Sendable (String) -> Void

    func rows(of benchmark: Benchmark) async throws -> [Row] {
        switch benchmark {
        case .liveIdle: try await liveMigration(benchmark, GuestShape(memoryMiB: 512, dirty: nil), ratio: 0.25)
        case .liveCalm: try await liveMigration(benchmark, GuestShape(memoryMiB: 1_024, dirty: (200, 50)), ratio: 0.4)
        case .liveBusy: try await liveMigration(benchmark, GuestShape(memoryMiB: 1_024, dirty: (200, 400)), ratio: 0.4)
        case .quick: try await quickMigration(benchmark)
        case .serviceMemory: try await serviceMemory(benchmark)
        }
    }
}
