import ClusterAPI
import ClusterModel
import Foundation
import Lab
import NodeClient
import Testing
import Validation

/// The lab of this target: two nodes of no cluster, a SAN with three empty disks.
///
/// A test breaks one thing, validates, expects the finding and mends the thing, also when it fails: see ``ValidationStage/breaking(_:mending:_:)``.
final class ValidationStage: Sendable {
    @TaskLocal static var current: ValidationStage?

    static let n1 = NodeName(unchecked: "n1")
    static let n2 = NodeName(unchecked: "n2")

    let lab: Lab
    /// A run asks the nodes for at most some minutes; a slow machine has several times as long.
    private let patience = Duration.seconds(300)
    private let clients: [NodeName: NodeClient]

    static func get() throws -> ValidationStage { try #require(current, "This test runs without its lab.") }

    static func build(prefix: String) async throws -> ValidationStage {
        let description = try LabDescription(prefix: prefix, nodeCount: 2, owner: getpid())
        let lab = try await LabBuilder(description, tools: .find(), nodes: .unjoined, serviceSeconds: 90).up()
        return ValidationStage(lab)
    }

    private init(_ lab: Lab) {
        self.lab = lab
        var clients: [NodeName: NodeClient] = [:]
        for node in lab.nodes { clients[node.name] = NodeClient(socketPath: node.apiSocket).waiting(.seconds(60)) }
        self.clients = clients
    }

    func close() async { for client in clients.values { await client.close() } }

    func client(of node: NodeName) throws -> NodeClient { try #require(clients[node]) }
    func node(_ name: NodeName) throws -> LabNode { try lab.node(name.rawValue) }
    func disk(_ lun: Int) async throws -> DiskID { try await lab.diskID(lun: lun) }

    /// Validates both nodes, asked at n1, to the end.
    ///
    /// - Parameters:
    ///   - tests: `storage/flush`, `network`, ...
    ///   - disks: Those that may be written to.
    func validate(
        _ tests: String..., disks: [DiskID] = [], shares: [String] = [], whileRunning: (ValidationStatus) async throws -> Void = { _ in }
    ) async throws -> ValidationRun {
        let first = try await start(tests, disks: disks, shares: shares)
        let client = try client(of: Self.n1)
        let end = ContinuousClock.now + patience
        var last = first
        while !last.isEnded {
            try #require(ContinuousClock.now < end, "The validation has not ended after \(patience): \(last)")
            try await whileRunning(last)
            for try await status in try await client.followValidation(first.id) { last = status }
        }
        return try await client.validationReport(first.id)
    }

    /// Begins a validation of both nodes at n1 and does not wait.
    func start(_ tests: [String], disks: [DiskID] = [], shares: [String] = []) async throws -> ValidationStatus {
        let token = try await client(of: Self.n2).makeToken(TokenRequest()).token
        return try await client(of: Self.n1).startValidation(
            StartValidationRequest(tokens: [token], tests: tests, disks: disks, shares: shares))
    }

    /// Breaks something for the time of a test, and mends it whatever happened.
    func breaking<Result>(
        _ break: () async throws -> Void, mending mend: () async throws -> Void, _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            try await `break`()
            let result = try await body()
            try await mend()
            return result
        } catch {
            try await mend()
            throw error
        }
    }
}

extension ValidationRun {
    /// The result of one test of the run.
    func result(_ test: String) throws -> TestResult {
        try #require(results.first { $0.id.description == test }, "The run has no \(test); it has \(results.map(\.id.description))")
    }

    /// The findings of one test with this verdict.
    func findings(_ test: String, _ verdict: Verdict) throws -> [ValidationFinding] {
        try result(test).findings.filter { $0.verdict == verdict }
    }
}
