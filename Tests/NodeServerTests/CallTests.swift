import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import NodeServer
import Testing

@Suite("Calls over the socket", .timeLimit(.minutes(1)))
struct CallTests {
    /// - Returns: What the node must have received.
    private func membershipCalls(_ client: NodeClient) async throws -> [any Hashable & Sendable] {
        let (token, force, order) = (TokenRequest(lifetimeSeconds: 600), ForceRequest(force: true), JoinOrder(session: Data([5])))
        let destroy = DestroyClusterRequest(name: Samples.prod, localOnly: false, force: false)
        let preparation = JoinPreparation(secret: Data([7]), founder: Samples.n1, cluster: Samples.prod)
        let bundle = try #require(Samples.bundle)
        let delivery = MembershipDelivery(session: Data([1]), bundle: bundle)
        let leave = MemberOrder(action: .leave, clusterID: Samples.id, force: false)
        #expect(try await client.membership() == Samples.membership)
        #expect(try await client.makeToken(token) == Samples.tokenReply)
        #expect(try await client.createCluster(Samples.createCluster) == Samples.change)
        #expect(try await client.addNode(AddNodeRequest(token: "apus1abc")) == Samples.change)
        #expect(try await client.evictNode(Samples.n2, force) == Samples.change)
        #expect(try await client.stopNode(Samples.n2, force) == Samples.change)
        #expect(try await client.startNode(Samples.n2) == Samples.change)
        #expect(try await client.destroyCluster(destroy) == Samples.change)
        try await client.obey(leave)
        #expect(try await client.prepareJoin(preparation) == Samples.joinOffer)
        try await client.deliverMembership(delivery)
        try await client.activateMembership(order)
        #expect(try await client.joinState(order) == Samples.joinState)
        try await client.abortJoin(order)
        let (quorum, forced) = (SetQuorumRequest(isDynamic: true), ForceQuorumRequest(reason: "n2 burnt down"))
        #expect(try await client.clusterStatus() == Samples.report)
        #expect(try await client.setQuorum(quorum) == Samples.report)
        #expect(try await client.forceQuorum(forced) == Samples.report)
        let witness = SetWitnessRequest(witness: .share("/srv/witness"), force: true)
        #expect(try await client.setWitness(witness) == Samples.change)
        #expect(try await client.corosyncFiles() == Samples.corosyncFiles)
        #expect(try await client.events(after: 6) == Samples.events)
        try await client.noteEvent(Samples.note)
        let validate = StartValidationRequest(tokens: ["apus1abc"], tests: ["network"])
        let free = FreeProbeRequest(secret: Data([7]), request: Samples.probeRequest)
        #expect(try await client.validationOffer() == Samples.validationOffer)
        #expect(try await client.startValidation(validate) == Samples.validation)
        #expect(try await client.cancelValidation(Samples.id) == Samples.validation)
        #expect(try await client.validationReport(Samples.id) == Samples.validationRun)
        #expect(try await client.keptReports() == Samples.keptReports)
        try await client.fetchReports(ReportNotice(node: Samples.n2))
        #expect(try await client.probe(Samples.probeRequest) == Samples.probeReply)
        #expect(try await client.probeFree(free) == Samples.probeReply)
        return [
            token, Samples.createCluster, AddNodeRequest(token: "apus1abc"), force, force, Samples.n2, destroy, leave, preparation,
            delivery,
            order, order, order, quorum, forced, witness, UInt64(6), Samples.note, validate, Samples.id, Samples.id,
            ReportNotice(node: Samples.n2), Samples.probeRequest, free,
        ]
    }

    @Test("Every operation arrives as asked and comes back as answered")
    func everyOperation() async throws {
        try await RunningServer.with { server in
            let client = NodeClient(socketPath: server.socketPath)
            try await client.warmUp()
            #expect(try await client.openAPI() == OpenAPIDocument(version: "0.0.0-test"))
            #expect(try await client.nodes() == Samples.nodeStatuses)
            #expect(try await client.machines() == [Samples.vmStatus])
            #expect(try await client.machine(Samples.web) == Samples.vmStatus)
            #expect(try await client.createMachine(Samples.createRequest) == Samples.vmStatus)
            try await client.deleteMachine(Samples.web)
            #expect(try await client.startMachine(Samples.web) == Samples.vmStatus)
            #expect(try await client.stopMachine(Samples.web, force: true) == Samples.vmStatus)
            #expect(try await client.planMigration(Samples.order) == Samples.plan)
            #expect(try await client.startMigration(Samples.order) == Samples.migration)
            #expect(try await client.cancelMigration(of: Samples.web) == Samples.cancelledMigration)
            #expect(try await client.migrations() == [Samples.endedMigration])
            #expect(try await client.disks() == [Samples.diskStatus])
            #expect(try await client.initializeDisk(Samples.initializeRequest) == Samples.diskStatus)
            #expect(try await client.facts() == Samples.facts)
            #expect(try await client.ownMachines() == [Samples.vmStatus])
            #expect(try await client.ownMigrations() == [Samples.migration])
            #expect(try await client.allocate(Samples.allocation) == Samples.machine)
            try await client.release(Samples.machine)
            #expect(try await client.prepareIncoming(Samples.offer) == Samples.ready)
            #expect(try await client.resumeIncoming(Samples.resume) == Samples.resumed)
            #expect(try await client.deliverFrames(Samples.delivery) == Samples.delivered)
            #expect(try await client.recoverIncoming(Samples.id) == Samples.ready)
            try await client.discardIncoming(Samples.id, reason: "cancelled")
            #expect(try await client.incomingState(Samples.id) == Samples.incoming)
            #expect(try await client.openLinkTest() == Samples.linkTest)
            // Everything but openapi, ping and the four streams of events reached the node.
            let membership = try await membershipCalls(client)
            #expect(await server.node.asked.count == Endpoints.all.count - 6)
            let bodies: [any Hashable & Sendable] = [
                Samples.web, Samples.createRequest, Samples.web, Samples.web, StopMachineRequest(force: true), Samples.order,
                Samples.order, Samples.web, Samples.initializeRequest, Samples.allocation, Samples.machine, Samples.offer,
                Samples.resume, Samples.delivery, Samples.id, DiscardRequest(reason: "cancelled"), Samples.id,
            ]
            #expect(await server.node.received(bodies + membership))
            await client.close()
        }
    }

    @Test("Errors keep their code, text and node", arguments: APIError.Code.allCases)
    func errors(code: APIError.Code) async throws {
        let error = APIError(code, "It is \"so\" – naïvely.", node: Samples.n2)
        try await RunningServer.with { server in
            await server.node.fail(with: error)
            let client = NodeClient(socketPath: server.socketPath)
            await #expect(throws: error) { try await client.machines() }
            await #expect(throws: error) { try await client.followMigration(Samples.id) }
            await #expect(throws: error) { try await client.deleteMachine(Samples.web) }
        }
    }

    @Test("A slow call holds up no other")
    func concurrent() async throws {
        try await RunningServer.with { server in
            await server.node.take(.milliseconds(300))
            let client = NodeClient(socketPath: server.socketPath)
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<60 { group.addTask { _ = try await client.machines() } }
                try await group.waitForAll()
            }
            #expect(ContinuousClock.now - start < .seconds(9))
        }
    }

    @Test("A call that takes too long is given up at its deadline")
    func deadline() async throws {
        try await RunningServer.with { server in
            await server.node.take(.seconds(20))
            let client = NodeClient(socketPath: server.socketPath).waiting(.milliseconds(200))
            let start = ContinuousClock.now
            let error = await #expect(throws: APIError.self) { try await client.machines() }
            #expect(error?.code == .timeout)
            #expect(error?.message.contains("200 ms") == true)
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }

    @Test("A call that is cancelled ends at once")
    func cancellation() async throws {
        try await RunningServer.with { server in
            await server.node.take(.seconds(20))
            let client = NodeClient(socketPath: server.socketPath)
            let start = ContinuousClock.now
            let call = Task { try await client.machines() }
            try await Task.sleep(for: .milliseconds(100))
            call.cancel()
            await #expect(throws: APIError.self) { try await call.value }
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }

    @Test("Where no node service is, the message says what to do")
    func nobodyThere() async throws {
        let error = await #expect(throws: APIError.self) { try await NodeClient(socketPath: "/tmp/apus-api-none.sock").nodes() }
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("systemctl status apusd") == true)
    }

    @Test("Frames up to 32 MiB pass, other bodies up to 4 MiB")
    func bodySizes() async throws {
        try await RunningServer.with { server in
            let client = NodeClient(socketPath: server.socketPath)
            let frames = (0..<10_000).map { CapturedFrame(interface: "lan", bytes: Data(repeating: UInt8($0 & 255), count: 1_524)) }
            let resume = ResumeRequest(migration: Samples.id, epoch: 8, frames: frames)
            #expect(try await client.resumeIncoming(resume) == Samples.resumed)
            #expect(await server.node.received([resume]))
            var request = Samples.createRequest
            request.image = String(repeating: "x", count: 5 << 20)
            let tooLong = request
            let error = await #expect(throws: APIError.self) { try await client.createMachine(tooLong) }
            #expect(error?.message.contains("4 MiB") == true, "\(String(describing: error))")
            try await client.warmUp()
        }
    }

    @Test("Path and body must name the same machine")
    func mismatch() async throws {
        try await RunningServer.with { server in
            let body = String(decoding: try APICoding.encoder.encode(Samples.order), as: UTF8.self)
            let reply = try await RawHTTP.exchange(server.socketPath, RawHTTP.post("/v1/machines/other/migration", body))
            #expect(reply.hasPrefix("HTTP/1.1 400"))
            #expect(await server.node.asked.isEmpty)
        }
    }
}
