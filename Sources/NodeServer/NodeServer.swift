import ClusterAPI
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NodeIdentity
import ServiceLifecycle
import Synchronization

/// Offers a node's operations over HTTP: on a Unix socket to root, and on the cluster network over mutual TLS.
///
/// ``run()`` returns after a graceful shutdown or cancellation; it throws when a listener cannot be opened. The Unix socket appears
/// at its path only once it answers.
public struct NodeServer: Service {
    /// Where nodes and administrators reach this node.
    public struct ClusterListener: Sendable {
        /// IP address on the cluster network.
        public var address: String
        /// 0 lets the system choose; ``NodeServer/Listening/port`` tells which.
        public var port: Int
        /// What it shows there.
        public var identity: ListenerIdentity
        /// Folder with `ca-cert.pem`, `node-cert.pem` and `node-key.pem`, to be shown when the server starts; nil: ``identity`` is set.
        private var folder: String?

        public init(address: String, port: Int, identity folder: String) {
            self.init(address: address, port: port, identity: ListenerIdentity())
            self.folder = folder
        }

        /// - Parameter identity: Something must have been given to it to show before the server runs.
        public init(address: String, port: Int, identity: ListenerIdentity) {
            self.address = address
            self.port = port
            self.identity = identity
        }

        func load() throws(NodeServerError) { if let folder { try identity.showMember(folder: folder) } }
    }

    /// Reported once every listener answers.
    public struct Listening: Sendable {
        /// TCP port on the cluster network; nil without a ``ClusterListener``.
        public var port: Int?
    }

    let operations: any NodeOperations
    let validation: any ValidationOperations
    let socketPath: String
    let cluster: ClusterListener?
    let version: String
    let limits: ServerLimits
    let logger: Logger
    let refusal: @Sendable (Holder) -> APIError?
    let onListening: @Sendable (Listening) async -> Void

    /// - Parameters:
    ///   - operations: Carries out what is asked of the node.
    ///   - validation: Carries out validations.
    ///   - socketPath: Of the Unix socket, at most 107 bytes (unix(7)). What a dead server left there is replaced.
    ///   - cluster: nil offers the socket only.
    ///   - version: Of Apus, for `/openapi.json`.
    ///   - refusal: Why the holder of a certificate of the cluster may call nothing all the same; asked at every request.
    public init(
        operations: any NodeOperations, validation: any ValidationOperations, socketPath: String, cluster: ClusterListener?,
        version: String, limits: ServerLimits = ServerLimits(), logger: Logger,
        refusal: @escaping @Sendable (Holder) -> APIError? = { _ in nil },
        onListening: @escaping @Sendable (Listening) async -> Void = { _ in }
    ) {
        self.operations = operations
        self.validation = validation
        self.socketPath = socketPath
        self.cluster = cluster
        self.version = version
        self.limits = limits
        self.logger = logger
        self.refusal = refusal
        self.onListening = onListening
    }

    /// - Throws: ``NodeServerError`` when the socket, the address or the identity cannot be used.
    public func run() async throws {
        let socket = try ServerSocket(path: socketPath)
        defer { socket.remove() }
        try cluster?.load()
        let opened = Opened(expecting: cluster == nil ? 1 : 2, report: onListening)

        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { listeners in
                    listeners.addTask { try await serveLocally(at: socket, opened) }
                    if let cluster { listeners.addTask { try await serve(cluster, opened) } }
                    // One that fails takes the other with it: half a node service would be mistaken for a whole one.
                    for try await _ in listeners {}
                }
            }
            // Requests under way may finish, but not hold up the node service for ever. Cancelled when the listeners have ended.
            group.addTask {
                do {
                    try await gracefulShutdown()
                    try await Task.sleep(for: limits.shutdown)
                } catch is CancellationError {}
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func serveLocally(at socket: ServerSocket, _ opened: Opened) async throws {
        try await serve(
            on: .unixDomainSocket(path: socket.bindPath), called: socketPath,
            server: .init { responder in ConnectionGuard(http(responder)) }, opened
        ) { () throws(NodeServerError) in try socket.publish() }
    }

    private func serve(_ listener: ClusterListener, _ opened: Opened) async throws {
        try await serve(
            on: .hostname(listener.address, port: listener.port), called: "\(listener.address):\(listener.port)",
            server: .init { responder in ConnectionGuard(ChangingTLSChannel(base: http(responder), identity: listener.identity)) },
            opened)
    }

    private func http(_ responder: @escaping HTTPChannelHandler.Responder) -> HTTP1Channel {
        HTTP1Channel(responder: responder, configuration: .init(idleTimeout: TimeAmount(limits.idle)))
    }

    private func serve(
        on address: BindAddress, called place: String, server: HTTPServerBuilder, _ opened: Opened,
        publish: @escaping @Sendable () throws(NodeServerError) -> Void = {}
    ) async throws {
        let failure = Mutex<NodeServerError?>(nil)
        let application = Application(
            router: Routes(
                operations: operations, validation: validation, version: version, limits: limits,
                callers: CallerRegister(identity: cluster?.identity, refusal: refusal)
            ).router(), server: server,
            configuration: ApplicationConfiguration(
                address: address, serverName: "apus", availableConnectionsDelegate: .maximum(limits.connections, logger: logger)),
            onServerRunning: { channel in
                do throws(NodeServerError) {
                    try publish()
                    await opened.add(port: channel.localAddress?.port)
                } catch {
                    // Hummingbird's callback cannot throw: close the listener, which ends the run below, and say why there.
                    failure.withLock { $0 = error }
                    channel.close(promise: nil)
                }
            }, logger: logger)
        do {
            try await application.run()
        } catch is CancellationError {
            return
        } catch let error as IOError {
            throw NodeServerError.cannotListen(on: place, reason: String(describing: error))
        } catch let error as ServiceGroupError {
            throw failure.withLock { $0 } ?? NodeServerError.cannotListen(on: place, reason: String(describing: error))
        }
    }
}

/// What the server puts up with. The defaults suit a node service; tests shorten them.
public struct ServerLimits: Sendable {
    /// A connection without a request is closed after this time. Longer than clients keep theirs, so that they are the ones to close.
    public var idle: Duration = .seconds(180)
    /// A request's body must have arrived after this time.
    public var body: Duration = .seconds(20)
    /// An empty line is sent to followers after this time without news.
    public var heartbeat: Duration = .seconds(2)
    /// Requests that still run this long after the server was told to stop are cancelled.
    public var shutdown: Duration = .seconds(5)
    /// Open connections to each listener; more wait.
    public var connections = 512
    public init() {}
}

/// Why the node's API cannot be offered.
public enum NodeServerError: Error, Hashable, CustomStringConvertible {
    case cannotListen(on: String, reason: String)
    case alreadyRunning(socket: String)
    case notASocket(path: String)
    case pathTooLong(String)
    case unusableIdentity(folder: String, reason: String)

    public var description: String {
        switch self {
        case .cannotListen(let address, let reason):
            "The API cannot listen on \(address): \(reason). Is the address this node's own, and is nothing else using the port?"
        case .alreadyRunning(let socket):
            "Another node service already runs on \(socket). Stop it first, or give this one a runtime directory of its own."
        case .notASocket(let path): "\(path) exists and is no socket. Move it away."
        case .pathTooLong(let path): "The socket path \(path) is too long: 90 bytes are allowed. Choose a shorter runtime directory."
        case .unusableIdentity(let folder, let reason):
            "The certificates in \(folder) cannot be used: \(reason). Expected are ca-cert.pem, node-cert.pem and node-key.pem."
        }
    }
}

/// Counts listeners that have opened.
private actor Opened {
    private var missing: Int
    private var port: Int?
    private let report: @Sendable (NodeServer.Listening) async -> Void
    init(expecting count: Int, report: @escaping @Sendable (NodeServer.Listening) async -> Void) {
        missing = count
        self.report = report
    }
    func add(port: Int?) async {
        missing -= 1
        self.port = self.port ?? port
        if missing == 0 { await report(NodeServer.Listening(port: self.port)) }
    }
}
