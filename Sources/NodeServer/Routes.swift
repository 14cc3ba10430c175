import ClusterAPI
import ClusterModel
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// Joins every line of ``Endpoints`` with the operation that answers it.
struct Routes {
    let operations: any NodeOperations
    let validation: any ValidationOperations
    let version: String
    let limits: ServerLimits
    let callers: CallerRegister
    private let deadlines = RequestDeadlines()

    init(
        operations: any NodeOperations, validation: any ValidationOperations, version: String, limits: ServerLimits,
        callers: CallerRegister
    ) {
        self.operations = operations
        self.validation = validation
        self.version = version
        self.limits = limits
        self.callers = callers
    }

    func router() -> Router<APIContext> {
        let router = Router(context: APIContext.self)
        router.add(middleware: ErrorReplies())
        addOperatorRoutes(to: router)
        addPeerRoutes(to: router)
        addFormingRoutes(to: router)
        addClusterRoutes(to: router)
        addJoinRoutes(to: router)
        addValidationRoutes(to: router)
        return router
    }

    /// `GET /v1/nodes` and so on, as registered: what the table is checked against.
    var registered: [String] { router().routes.map { "\($0.method.rawValue) \($0.path.description)" } }

    private func addOperatorRoutes(to router: Router<APIContext>) {
        let operations = operations
        let document = OpenAPIDocument(version: version)
        on(Endpoints.openAPI, router) { _, _ in document }
        on(Endpoints.ping, router) { _, _ in NoContent() }
        on(Endpoints.nodes, router) { _, _ in try await operations.nodes() }
        on(Endpoints.machines, router) { _, _ in try await operations.machines() }
        on(Endpoints.createMachine, router) { request, _ in try await operations.createMachine(request) }
        on(Endpoints.machine, router) { _, path in try await operations.machine(path.machine()) }
        on(Endpoints.deleteMachine, router) { _, path in
            try await operations.deleteMachine(path.machine())
            return NoContent()
        }
        on(Endpoints.startMachine, router) { _, path in try await operations.startMachine(path.machine()) }
        on(Endpoints.stopMachine, router) { request, path in
            try await operations.stopMachine(path.machine(), force: request.force)
        }
        on(Endpoints.planMigration, router) { order, path in
            try await operations.planMigration(path.checked(order))
        }
        on(Endpoints.startMigration, router) { order, path in
            try await operations.startMigration(path.checked(order))
        }
        on(Endpoints.cancelMigration, router) { _, path in try await operations.cancelMigration(of: path.machine()) }
        on(Endpoints.migrations, router) { _, _ in try await operations.migrations() }
        on(Endpoints.disks, router) { _, _ in try await operations.disks() }
        on(Endpoints.initializeDisk, router) { request, _ in try await operations.initializeDisk(request) }
        let heartbeat = limits.heartbeat
        register(Endpoints.followMigration.description, router) { request, path in
            .lines(of: try await operations.followMigration(path.uuid("id")), to: request, heartbeat: heartbeat)
        }
    }

    private func addPeerRoutes(to router: Router<APIContext>) {
        let operations = operations
        on(Endpoints.facts, router) { _, _ in try await operations.facts() }
        on(Endpoints.ownMachines, router) { _, _ in try await operations.ownMachines() }
        on(Endpoints.ownMigrations, router) { _, _ in try await operations.ownMigrations() }
        on(Endpoints.allocate, router) { request, _ in try await operations.allocate(request) }
        on(Endpoints.release, router) { machine, _ in
            try await operations.release(machine)
            return NoContent()
        }
        on(Endpoints.prepareIncoming, router) { offer, _ in try await operations.prepareIncoming(offer) }
        on(Endpoints.incomingState, router) { _, path in
            try await operations.incomingState(path.uuid("migration"))
        }
        on(Endpoints.resumeIncoming, router) { request, path in
            try path.check(request.migration, is: "migration")
            return try await operations.resumeIncoming(request)
        }
        on(Endpoints.deliverFrames, router) { request, path in
            try path.check(request.migration, is: "migration")
            return try await operations.deliverFrames(request)
        }
        on(Endpoints.recoverIncoming, router) { _, path in
            try await operations.recoverIncoming(path.uuid("migration"))
        }
        on(Endpoints.discardIncoming, router) { request, path in
            try await operations.discardIncoming(path.uuid("migration"), reason: request.reason)
            return NoContent()
        }
        on(Endpoints.openLinkTest, router) { _, _ in try await operations.openLinkTest() }
    }

    /// Answers an endpoint with JSON.
    func on<Body, Reply>(
        _ endpoint: Endpoint<Body, Reply>, _ router: Router<APIContext>,
        answer: @escaping @Sendable (Body, PathValues) async throws -> Reply
    ) {
        let (limits, deadlines) = (limits, deadlines)
        let description = endpoint.description
        register(description, router) { request, path in
            let body: Body
            if let none = NoContent() as? Body {
                body = none
            } else {
                body = try await request.decode(Body.self, upTo: (description.maxRequestBytes, limits.body), deadlines)
            }
            let reply = try await answer(body, path)
            return reply is NoContent ? Response(status: .noContent) : try .json(reply)
        }
    }

    func register(
        _ endpoint: EndpointDescription, _ router: Router<APIContext>,
        answer: @escaping @Sendable (Request, PathValues) async throws -> Response
    ) {
        let method = HTTPRequest.Method(endpoint.method)
        let callers = callers
        router.on(RouterPath(endpoint.path), method: method) { request, context in
            let caller = try await callers.caller(of: context.channel)
            guard caller.may(call: endpoint) else {
                throw caller.refusal(of: endpoint)
            }
            // What changes something is worth a line in the log, and who asked for it.
            var entry: Logger.Metadata = ["caller": "\(caller)", "path": "\(request.uri.path)"]
            let level: Logger.Level = endpoint.method == .get ? .debug : .info
            let start = ContinuousClock.now
            do {
                let response = try await answer(request, PathValues(parameters: context.parameters))
                entry["took"] = "\(ContinuousClock.now - start)"
                context.logger.log(level: level, "\(endpoint.summary)", metadata: entry)
                return response
            } catch {
                entry["error"] = "\(error)"
                context.logger.log(level: level, "\(endpoint.summary): refused or failed", metadata: entry)
                throw error
            }
        }
    }
}

extension HTTPRequest.Method {
    init(_ method: EndpointDescription.Method) {
        switch method {
        case .get: self = .get
        case .post: self = .post
        case .delete: self = .delete
        }
    }
}

/// A request's surroundings: the connection tells who asks.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// The values that stand in a path where its endpoint has braces.
struct PathValues: Sendable {
    let parameters: Parameters

    func machine() throws(APIError) -> VMName {
        do { return try VMName(text("name")) } catch { throw APIError(.invalid, error.description) }
    }

    func node() throws(APIError) -> NodeName {
        do { return try NodeName(text("name")) } catch { throw APIError(.invalid, error.description) }
    }

    func uuid(_ name: String) throws(APIError) -> UUID {
        let text = text(name)
        guard let value = UUID(uuidString: text) else { throw APIError(.invalid, "\"\(text)\" is no UUID.") }
        return value
    }

    func number(_ name: String) throws(APIError) -> UInt64 {
        let text = text(name)
        guard let value = UInt64(text) else { throw APIError(.invalid, "\"\(text)\" is no number of an event; use 0 or more.") }
        return value
    }

    /// An order names its machine in the path and in the body; they must agree, or a slip would move another machine.
    func checked(_ order: MigrationOrder) throws(APIError) -> MigrationOrder {
        let name = try machine()
        guard order.vm == name else {
            throw APIError(.invalid, "The path names the machine \(name), the order names \(order.vm). Name the same one in both.")
        }
        return order
    }

    func check(_ value: UUID, is name: String) throws(APIError) {
        let expected = try uuid(name)
        guard value == expected else {
            throw APIError(.invalid, "The path names the \(name) \(expected), the body names \(value). Name the same one in both.")
        }
    }

    /// Percent escapes are left as they are: no name or UUID contains one, so it is refused with the text that was sent.
    private func text(_ name: String) -> String { parameters.get(name) ?? "" }
}
