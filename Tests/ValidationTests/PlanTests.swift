import ClusterModel
import Testing

@testable import Validation

@Suite("Plan and schedule")
struct PlanTests {
    static func subject(nodes: Int, disks: Int, cluster: Bool = false) -> ValidationSubject {
        ValidationSubject(
            nodes: (1...nodes).map { NodeName(unchecked: "n\($0)") }, testableDisks: (0..<disks).map { DiskID("d\($0)") },
            cluster: cluster ? ClusterName(unchecked: "c") : nil)
    }

    @Test("A test whose needs are not met has no step and says which need", arguments: [(1, 0), (2, 0), (2, 1), (8, 2)])
    func needs(nodes: Int, disks: Int) {
        let subject = Self.subject(nodes: nodes, disks: disks)
        let plan = ValidationPlan(ValidationCatalogue.tests, for: subject)
        for test in plan.tests {
            let steps = plan.steps.filter { $0.test == test.id }
            #expect(steps.isEmpty == (plan.notApplicable[test.id] != nil), "\(test.id)")
            #expect(plan.notApplicable[test.id] == subject.unmetNeed(of: test))
            guard plan.notApplicable[test.id] == nil else { continue }
            switch test.scope {
            case .whole: #expect(steps.count == 1)
            case .eachNode: #expect(steps.count == nodes)
            case .eachPair: #expect(steps.count == nodes * (nodes - 1) / 2)
            case .eachDisk: #expect(steps.count == disks)
            case .eachShare: #expect(steps.isEmpty)
            }
        }
    }

    @Test("Every two nodes meet once, and no node twice in a round", arguments: 1...9)
    func pairs(count: Int) {
        let nodes = Self.subject(nodes: count, disks: 0).nodes
        let pairs = ValidationPlan.pairs(nodes)
        #expect(Set(pairs.map { Set([$0.0, $0.1]) }).count == count * (count - 1) / 2)
        #expect(pairs.count == count * (count - 1) / 2)
        let perRound = max(count / 2, 1)
        for round in stride(from: 0, to: pairs.count, by: perRound) {
            let members = pairs[round..<min(round + perRound, pairs.count)].flatMap { [$0.0, $0.1] }
            #expect(Set(members).count == members.count)
        }
    }

    @Test("What breaks sessions comes after everything else")
    func order() throws {
        let plan = ValidationPlan(ValidationCatalogue.tests, for: Self.subject(nodes: 3, disks: 2, cluster: true))
        let ranks = try plan.steps.map { try #require(ValidationCatalogue.test($0.test)).disturbance.rank }
        #expect(ranks == ranks.sorted())
        #expect(ranks.first == 0 && ranks.last == 2)
    }

    @Test("Every step runs once, and never two at a time that disturb each other", arguments: UInt64(0)..<40)
    func storm(seed: UInt64) throws {
        var generator = Generator(state: seed)
        let subject = Self.subject(nodes: Int(seed % 8) + 1, disks: Int(seed % 4), cluster: seed % 2 == 0)
        let plan = ValidationPlan(ValidationCatalogue.tests, for: subject)
        var schedule = ValidationSchedule(plan, limit: Int(seed % 5) * 4 + 1)
        var started: [ValidationStep] = []
        var most = 0
        while !schedule.isFinished {
            while let step = schedule.next() {
                started.append(step)
                try Self.expectPeace(schedule.running, plan)
            }
            most = max(most, schedule.running.count)
            try #require(!schedule.running.isEmpty, "nothing runs and nothing can start")
            schedule.finish(try #require(schedule.running.randomElement(using: &generator)))
        }
        #expect(most <= schedule.limit)
        #expect(started.count == plan.steps.count)
        #expect(Set(started) == Set(plan.steps))
    }

    private static func expectPeace(_ running: [ValidationStep], _ plan: ValidationPlan) throws {
        var users: [ValidationResource: [ResourceUse]] = [:]
        for step in running {
            let test = try #require(ValidationCatalogue.test(step.test))
            for (resource, use) in step.uses(of: test, in: plan.subject) { users[resource, default: []].append(use) }
        }
        for (resource, uses) in users where uses.contains(.exclusive) {
            #expect(uses.count == 1, "\(resource) is used by \(uses.count)")
        }
    }

    @Test("Disks are tested side by side, pairs of other nodes too, and readers beside everything else")
    func parallel() {
        let subject = Self.subject(nodes: 4, disks: 3)
        let uses = { (test: ValidationTest, target: ValidationStep.Target) in ValidationStep(test.id, target).uses(of: test, in: subject) }
        func disturb(_ left: [ValidationResource: ResourceUse], _ right: [ValidationResource: ResourceUse]) -> Bool {
            left.contains { resource, use in right[resource].map { !use.allows($0) } ?? false }
        }
        let disk0 = uses(StorageCatalogue.contest, .disk(subject.testableDisks[0]))
        let disk1 = uses(StorageCatalogue.flush, .disk(subject.testableDisks[1]))
        let failover = uses(StorageCatalogue.failover, .disk(subject.testableDisks[2]))
        let link12 = uses(NetworkCatalogue.throughput, .pair(subject.nodes[0], subject.nodes[1]))
        let link34 = uses(NetworkCatalogue.latency, .pair(subject.nodes[2], subject.nodes[3]))
        let link23 = uses(NetworkCatalogue.latency, .pair(subject.nodes[1], subject.nodes[2]))
        let guests = uses(HypervisorCatalogue.liveMigration, .pair(subject.nodes[0], subject.nodes[3]))
        #expect(!disturb(disk0, disk1) && !disturb(link12, link34) && !disturb(disk0, link12))
        #expect(disturb(link12, link23) && disturb(failover, disk0) && disturb(guests, link12) && disturb(disk0, disk0))
        #expect(uses(InventoryCatalogue.memory, .whole).isEmpty)
    }

    @Test("A cancelled schedule starts nothing more and ends with what runs")
    func abandon() throws {
        let plan = ValidationPlan(ValidationCatalogue.tests, for: Self.subject(nodes: 2, disks: 1))
        var schedule = ValidationSchedule(plan)
        let next = schedule.next()
        let first = try #require(next)
        #expect(schedule.abandon().count == plan.steps.count - 1)
        #expect(schedule.next() == nil && !schedule.isFinished)
        schedule.finish(first)
        #expect(schedule.isFinished)
    }
}

/// SplitMix64: the same order of events for the same seed.
private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
