/// Which steps may run now: the plan while it is carried out. Whoever runs steps asks `next()` until it gives nothing, and tells `finish`.
public struct ValidationSchedule: Sendable {
    public private(set) var waiting: [ValidationStep]
    public private(set) var running: [ValidationStep] = []
    private let uses: [ValidationStep: [ValidationResource: ResourceUse]]
    /// How many steps run at a time at most, whatever they use: each one costs every node connections and processor time.
    public let limit: Int

    public init(_ plan: ValidationPlan, limit: Int = 16) {
        waiting = plan.steps
        let tests = Dictionary(plan.tests.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        uses = Dictionary(
            plan.steps.map { step in (step, tests[step.test].map { step.uses(of: $0, in: plan.subject) } ?? [:]) },
            uniquingKeysWith: { first, _ in first })
        self.limit = max(1, limit)
    }

    public var isFinished: Bool { waiting.isEmpty && running.isEmpty }

    /// Takes the first step that disturbs nobody and whom nobody disturbs.
    ///
    /// A step that has to wait keeps later ones from what it waits for, so that it gets its turn.
    /// - Returns: nil while nothing more can start.
    public mutating func next() -> ValidationStep? {
        guard running.count < limit else { return nil }
        var taken: [ValidationResource: ResourceUse] = [:]
        for step in running { Self.add(uses[step] ?? [:], to: &taken) }
        for index in waiting.indices {
            let step = waiting[index]
            let wanted = uses[step] ?? [:]
            if wanted.allSatisfy({ resource, use in taken[resource]?.allows(use) ?? true }) {
                waiting.remove(at: index)
                running.append(step)
                return step
            }
            Self.add(wanted, to: &taken)
        }
        return nil
    }

    /// - Parameter step: One that `next` gave. Any other is ignored.
    public mutating func finish(_ step: ValidationStep) { running.removeAll { $0 == step } }

    /// Forgets what has not begun: the run was cancelled.
    /// - Returns: The steps that will not run.
    public mutating func abandon() -> [ValidationStep] {
        defer { waiting = [] }
        return waiting
    }

    private static func add(_ uses: [ValidationResource: ResourceUse], to taken: inout [ValidationResource: ResourceUse]) {
        for (resource, use) in uses where taken[resource] != .exclusive { taken[resource] = use }
    }
}
