import ClusterAPI
import ClusterModel
import Foundation
import Lab
import LabTesting
import NodeClient
import Testing
import Validation

extension ValidationLab {
    @Suite("A running cluster") struct RunningCluster {
        private let n1 = ValidationStage.n1
        private let n2 = ValidationStage.n2
        private static let prod = ClusterName(unchecked: "prod")

        /// Makes a cluster of the lab's nodes for the time of a test, and free nodes of them again.
        private func inCluster(_ body: (ValidationStage, NodeClient) async throws -> Void) async throws {
            let stage = try ValidationStage.get()
            let client = try stage.client(of: n1)
            do {
                let token = try await stage.client(of: n2).makeToken(TokenRequest()).token
                try await follow(
                    try await client.createCluster(
                        CreateClusterRequest(
                            name: Self.prod, nodes: [], tokens: [token], witness: .disk(try await stage.disk(1)), force: true,
                            validation: .skipped)), client)
                try await settle(client)
                try await body(stage, client)
                try await destroy(stage)
            } catch {
                try await destroy(stage)
                throw error
            }
        }

        private func destroy(_ stage: ValidationStage) async throws {
            for name in [n1, n2] where try !stage.node(name).isRunning {
                try await stage.node(name).powerOn()
                try await stage.node(name).waitForService(seconds: 90)
            }
            let client = try stage.client(of: n1)
            guard try await client.membership().state != .free else { return }
            try await settle(client)
            try await follow(try await client.destroyCluster(DestroyClusterRequest(name: Self.prod, localOnly: false, force: true)), client)
            let areFree = try await eventually(within: 60) {
                for name in [n1, n2] { if try await stage.client(of: name).membership().state != .free { return false } }
                return true
            }
            #expect(areFree, "the cluster was not ended")
        }

        private func follow(_ change: ClusterChange, _ client: NodeClient) async throws {
            var last = change
            for try await now in try await client.followChange(change.id) { last = now }
            try #require(last.outcome == .done, "\(last.message ?? "\(last)")")
        }

        /// Both nodes are up, in one partition that knows all of the configuration.
        private func settle(_ client: NodeClient) async throws {
            let isSettled = try await eventually(within: 120) {
                guard let status = try? await client.clusterStatus() else { return false }
                return status.isOpen && status.nodes.count == 2
                    && status.nodes.allSatisfy { $0.state == .up && $0.isPresent && $0.votes == 1 }
                    && status.witness?.holder != nil && status.votesPresent == 3
            }
            let last = try? await client.clusterStatus()
            try #require(isSettled, "the cluster did not settle: \(last.map { "\($0)" } ?? "no answer")")
        }

        private func validate(_ tests: [String], _ client: NodeClient) async throws -> ValidationRun {
            let first = try await client.startValidation(StartValidationRequest(tests: tests))
            var last = first
            for try await status in try await client.followValidation(first.id) { last = status }
            try #require(last.isEnded, "\(last)")
            return try await client.validationReport(first.id)
        }

        @Test("A healthy one passes, and a node that is down is found") func faults() async throws {
            try await inCluster { stage, client in
                let events = try await client.events(after: 0)
                #expect(
                    events.contains { $0.severity == .warning && $0.sentence.contains("--skip-validation") }, "\(events.map(\.sentence))")

                let healthy = try await validate(["cluster"], client)
                for result in healthy.results { #expect(result.verdict <= .pass, "\(result.id): \(result.findings)") }
                #expect(try healthy.findings("cluster/nodes", .pass).map(\.subject) == [.node(n1), .node(n2)])
                #expect(try healthy.findings("cluster/witness", .pass).map(\.subject.node).contains(n2))
                #expect(healthy.subject.hasWitness)
                // A run has ended when every member has its report.
                let copy = try await stage.client(of: n2).validationReport(healthy.id)
                #expect(copy == healthy)

                try await stage.node(n2).powerOff()
                let isSeen = try await eventually(within: 90) {
                    guard let status = try? await client.clusterStatus() else { return false }
                    return status.isOpen && status.nodes.contains { $0.name == n2 && $0.state == .down }
                }
                #expect(isSeen, "n1 does not see that n2 is gone")
                let lonely = try await validate(["cluster/nodes", "cluster/quorum", "cluster/roles"], client)
                let down = try lonely.findings("cluster/nodes", .failure)
                #expect(down.map(\.subject) == [.node(n2)])
                #expect(down.first?.cure?.contains("apus node evict n2 --force") == true, "\(down)")
                #expect(try lonely.result("cluster/quorum").verdict == .warning)
                #expect(try lonely.result("cluster/roles").verdict == .notApplicable)

                try await stage.node(n2).powerOn()
                try await stage.node(n2).waitForService(seconds: 90)
                let hasFetched = try await eventually(within: 120) {
                    (try? await stage.client(of: n2).keptReports())?.contains { $0.id == lonely.id } == true
                }
                #expect(hasFetched, "n2 does not fetch the report of the time when it was off")
            }
        }
    }
}
