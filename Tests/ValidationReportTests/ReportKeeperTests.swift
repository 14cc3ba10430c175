import ClusterAPI
import ClusterModel
import Foundation
import Synchronization
import Testing
import Validation

@testable import ValidationReport

@Suite("Which reports are kept")
struct ReportRetentionTests {
    private static func report(_ number: Int, bytes: Int = 100, began: Int64? = nil) throws -> KeptReport {
        var run = try SampleRun.make(nodes: 2, faulty: false)
        run.id = try #require(UUID(uuidString: "00000000-0000-4000-8000-" + String(format: "%012d", number)))
        run.began = WallTime(milliseconds: began ?? Int64(number) * 1_000)
        return KeptReport(run, byteCount: bytes)
    }
    private static let now = WallTime(milliseconds: 1_000_000)

    @Test("The newest, up to a number and a size; the newest of all whatever its size")
    func kept() throws {
        let reports = try (1...9).map { try Self.report($0) }
        #expect(ReportRetention(mostReports: 3).kept(of: reports.shuffled()).map(\.id) == reports.reversed().prefix(3).map(\.id))
        #expect(ReportRetention(mostBytes: 450).kept(of: reports).count == 4)
        #expect(ReportRetention(mostReports: 0, mostBytes: 0).kept(of: reports).map(\.id) == [reports[8].id])
        #expect(ReportRetention().kept(of: []).isEmpty)
    }

    @Test("What is fetched is never removed again, whoever offers what", arguments: UInt64(0)..<50)
    func settles(seed: UInt64) throws {
        var random = SampleGenerator(state: seed)
        let retention = ReportRetention(mostReports: 5, mostBytes: 1_000)
        let all = try (1...20).map { try Self.report($0, bytes: Int(random.next() % 400) + 1) }
        let own = retention.kept(of: all.filter { _ in random.next() % 2 == 0 })
        let offered = retention.kept(of: all.filter { _ in random.next() % 2 == 0 })
        let after = own + retention.lacking(own, offered: offered, now: Self.now)
        let kept = retention.kept(of: after)
        #expect(kept.map(\.id) == retention.kept(of: own + offered.filter { report in !own.contains { $0.id == report.id } }).map(\.id))
        #expect(retention.lacking(kept, offered: offered, now: Self.now).isEmpty)
    }

    @Test("What no node could have is not asked for")
    func hostile() throws {
        let retention = ReportRetention()
        let good = try Self.report(1)
        let offers = [
            good, good, try Self.report(2, bytes: 0), try Self.report(3, bytes: .min), try Self.report(4, bytes: .max),
            try Self.report(5, began: .max), try Self.report(6, began: .min), try Self.report(7, began: Self.now.rawValue + 90_000_000),
        ]
        #expect(retention.lacking([], offered: offers, now: Self.now).map(\.id) == [good.id])
        #expect(retention.lacking([good], offered: offers, now: WallTime(milliseconds: .max)).allSatisfy { $0.id != good.id })
        let huge = try [Self.report(1, bytes: .max), Self.report(2, bytes: .max), Self.report(3, bytes: .min)]
        #expect(retention.kept(of: huge).map(\.id) == [huge[2].id])
    }
}

/// Members of a cluster that ask each other without a network.
private final class Neighbourhood: Sendable {
    private let keepers = Mutex<[NodeName: ReportKeeper]>([:])
    private let away = Mutex<Set<NodeName>>([])
    private let complaints = Mutex<[String]>([])
    private let lies = Mutex<[UUID: ValidationRun]>([:])
    private let asked = Mutex(0)
    let path = NSTemporaryDirectory() + "apus-keepers-\(UUID().uuidString)"
    let nodes: [NodeName]
    static let prod = ClusterName(unchecked: "prod")

    init(_ count: Int, retention: ReportRetention = ReportRetention()) {
        nodes = (1...count).map { NodeName(unchecked: "node\($0)") }
        for node in nodes { keepers.withLock { $0[node] = make(node, retention) } }
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    private func make(_ node: NodeName, _ retention: ReportRetention) -> ReportKeeper {
        let members = Set(nodes)
        let neighbours = ReportNeighbours(
            membership: { (Self.prod, members) },
            list: { [weak self] other in try await self?.reach(other).offered() ?? [] },
            report: { [weak self] id, other in
                let keeper = try self?.reach(other)
                self?.asked.withLock { $0 += 1 }
                if let lie = self?.lies.withLock({ $0[id] }) { return lie }
                guard let run = try keeper?.folder.load(id.uuidString).run else { throw APIError(.notFound, "gone") }
                return run
            },
            notify: { [weak self] other in try await self?.reach(other).fetch(from: node) })
        return ReportKeeper(
            ReportFolder("\(path)/\(node)"), node: node, retention: retention, neighbours: neighbours
        ) { [weak self] sentence in self?.complaints.withLock { $0.append(sentence) } }
    }

    private func reach(_ node: NodeName) throws -> ReportKeeper {
        guard let keeper = keepers.withLock({ $0[node] }), !away.withLock({ $0.contains(node) }) else {
            throw APIError(.unreachable, "\(node) is away.")
        }
        return keeper
    }

    subscript(index: Int) -> ReportKeeper { get throws { try #require(keepers.withLock { $0[nodes[index - 1]] }) } }
    func leave(_ index: Int) { away.withLock { _ = $0.insert(nodes[index - 1]) } }
    func comeBack() { away.withLock { $0 = [] } }
    func lie(_ run: ValidationRun, instead id: UUID) { lies.withLock { $0[id] = run } }
    var said: [String] { complaints.withLock { $0 } }
    var fetches: Int { asked.withLock { $0 } }
    func ids(_ index: Int) throws -> [UUID] { try self[index].folder.list().compactMap(\.id) }
}

@Suite("Reports of a cluster")
struct ReportKeeperTests {
    private func run(_ number: UInt8, cluster: ClusterName? = Neighbourhood.prod, nodes: Int = 2) throws -> ValidationRun {
        var run = try SampleRun.make(nodes: nodes, faulty: number % 2 == 0, selection: ["network"])
        run.id = UUID(uuid: (number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
        run.began = WallTime(milliseconds: 1_700_000_000_000 + Int64(number) * 60_000)
        run.subject.cluster = cluster
        return run
    }

    @Test("Every member has a report as soon as its run has ended, one that was away when it is back")
    func spread() async throws {
        let all = Neighbourhood(3)
        all.leave(3)
        let first = try run(1)
        let stored = try await all[1].keep(first)
        try await all[1].tell()
        #expect(try all.ids(2) == [first.id] && all.ids(3).isEmpty)
        // The same bytes everywhere.
        let copy = try all[2].folder.load(first.id.uuidString)
        #expect(copy.run == first && copy.report.name == stored.name)
        #expect(try Data(contentsOf: URL(filePath: copy.report.json)) == Data(contentsOf: URL(filePath: stored.json)))
        all.comeBack()
        let keeper = try all[3]
        let looking = Task { await keeper.keepComplete(every: .seconds(60)) }
        while try all.ids(3).isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        looking.cancel()
        await looking.value
        #expect(try all.ids(3) == [first.id] && all.said.isEmpty)
        // From both others, and yet once.
        #expect(all.fetches == 2)
    }

    @Test("Reports of the cluster and those of its nodes before they were one are offered, those of another cluster are not")
    func concern() async throws {
        let all = Neighbourhood(2)
        let before = try run(1, cluster: nil)
        var elsewhere = try run(2, cluster: nil)
        elsewhere.subject.nodes = [NodeName(unchecked: "stranger")]
        let ours = try run(3)
        for run in [before, elsewhere, try run(4, cluster: ClusterName(unchecked: "other")), ours] { _ = try await all[1].keep(run) }
        #expect(try await all[1].offered().map(\.id) == [ours.id, before.id])
        try await all[1].tell()
        #expect(try all.ids(2) == [ours.id, before.id])
        #expect(try all.ids(1).count == 4)
    }

    @Test("The oldest go first, and are not fetched again")
    func prune() async throws {
        let all = Neighbourhood(2, retention: ReportRetention(mostReports: 3))
        let runs = try (1...6).map { try run(UInt8($0)) }
        for run in runs {
            _ = try await all[1].keep(run)
            try await all[1].tell()
        }
        for node in 1...2 {
            #expect(try all.ids(node) == runs.suffix(3).reversed().map(\.id))
            let files = try FileManager.default.contentsOfDirectory(atPath: all[node].folder.path)
            #expect(files.count == 9, "\(files)")
        }
        let before = all.fetches
        for _ in 0..<3 { try await all[2].fetch(from: all.nodes[0]) }
        #expect(all.fetches == before)
    }

    @Test("A report that is not what was offered is refused, once, and hides no other", arguments: 0..<6)
    func refused(kind: Int) async throws {
        let all = Neighbourhood(2)
        let (older, newer) = (try run(1), try run(2))
        for run in [older, newer] { _ = try await all[1].keep(run) }
        var lie = newer
        switch kind {
        case 0: lie.id = UUID()
        case 1: lie.subject.cluster = ClusterName(unchecked: "other")
        case 2: lie.format = ValidationRun.currentFormat + 1
        case 3: lie.began = older.began
        case 4: lie.apusVersion = String(repeating: "9", count: 10 << 20)
        default: lie.format = .min
        }
        all.lie(lie, instead: newer.id)
        try await all[2].fetch(from: all.nodes[0])
        #expect(try all.ids(2) == [older.id])
        #expect(all.said.count == 1 && all.said[0].contains("node1"), "\(all.said)")
        try await all[2].fetch(from: all.nodes[0])
        #expect(all.fetches == 2 && all.said.count == 1)
    }

    @Test("A report never takes the place of another, and a stranger is not asked")
    func collision() async throws {
        let all = Neighbourhood(2)
        let own = try run(1)
        var twin = own
        // The same first digits and the same second: the same name.
        twin.id = UUID(uuid: (1, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        _ = try await all[2].keep(own)
        _ = try await all[1].keep(twin)
        try await all[2].fetch(from: all.nodes[0])
        #expect(try all.ids(2) == [own.id] && all.said.count == 1)
        try await all[2].fetch(from: NodeName(unchecked: "stranger"))
        #expect(all.fetches == 1)
    }
}
