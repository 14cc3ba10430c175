import ClusterAPI
import ClusterModel
import ClusterRules
import ClusterStore
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
            try #require(isSettled, "the cluster did not settle")
        }

        private func validate(_ tests: [String], _ client: NodeClient) async throws -> ValidationRun {
            let first = try await client.startValidation(StartValidationRequest(tests: tests))
            var last = first
            for try await status in try await client.followValidation(first.id) { last = status }
            try #require(last.isEnded, "\(last)")
            return try await client.validationReport(first.id)
        }

        @Test("A healthy one passes; a node that is down, and a configuration that differs, are found") func faults() async throws {
            try await inCluster { stage, client in
                let events = try await client.events(after: 0)
                #expect(
                    events.contains { $0.severity == .warning && $0.sentence.contains("--skip-validation") }, "\(events.map(\.sentence))")

                let healthy = try await validate(["cluster"], client)
                for result in healthy.results { #expect(result.verdict <= .pass, "\(result.id): \(result.findings)") }
                #expect(try healthy.findings("cluster/nodes", .pass).map(\.subject) == [.node(n1), .node(n2)])
                #expect(try healthy.findings("cluster/witness", .pass).map(\.subject.node).contains(n2))

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

                try await alterCopy(on: stage.node(n2))
                try await stage.node(n2).powerOn()
                try await stage.node(n2).waitForService(seconds: 90)
                try await settle(client)
                let differing = try await validate(["cluster/configuration"], client)
                let failures = try differing.findings("cluster/configuration", .failure)
                #expect(failures.map(\.subject) == [.node(n2)], "\(try differing.result("cluster/configuration"))")
                #expect(failures.first?.reason.contains("is another one than that of n1") == true)
                #expect(failures.first?.cure?.contains("apus node stop n2") == true)
            }
        }

        /// Makes the copy of the configuration on a node that is off another one than its log gives: what a bug in applying it would do.
        private func alterCopy(on node: LabNode) async throws {
            let folder = node.runtimeFolder + "/../state/cluster"
            struct Member: Decodable {
                var clusterID: UUID
                var nodeID: NodeID
            }
            let member = try JSONDecoder().decode(Member.self, from: Data(contentsOf: URL(filePath: folder + "/member.json")))
            let store = try await ConfigurationStore.open(folder: folder + "/store", cluster: member.clusterID, node: member.nodeID)
            let image = try await store.load()
            var state = try ClusterCoding.state(from: image.snapshot)
            for entry in image.entries where entry.index <= image.committed { _ = try apply(entry, to: &state) }
            try #require(state.appliedIndex == image.committed && image.committed > image.snapshotIndex)
            state.quorum.secondsUntilStop += 1
            try await store.make([.snapshot(state: try ClusterCoding.bytes(of: state), index: image.committed)])
            try await store.close()
        }
    }
}
