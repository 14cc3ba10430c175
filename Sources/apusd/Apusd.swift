import ArgumentParser
import ClusterModel
import Forming
import Foundation
import Logging
import NodeIdentity
import NodeServer
import NodeService
import NodeValidation
import ServiceLifecycle
import UnixSignals

@main
struct Apusd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apusd",
        abstract: "The node service of Apus: keeps this node's virtual machines, moves them, and answers the API.",
        discussion: """
            Runs in the foreground until SIGTERM or SIGINT. Virtual machines go on running when it ends, and are taken over again when it
            starts. Log lines go to standard error.

            Example: apusd --config /etc/apus/node.yaml
            """,
        version: ApusVersion.current)

    @Option(help: "The node's configuration.")
    var config = "/etc/apus/node.yaml"

    @Option(help: "The least severe log lines to show: trace, debug, info, notice, warning, error.")
    var logLevel = LogLevel.info

    @Flag(help: "Read the configuration, say what is wrong with it, and end.")
    var check = false

    func run() async throws {
        LoggingSystem.bootstrap { label in StructuredLogHandler(label: label) }
        var logger = Logger(label: "apusd")
        logger.logLevel = logLevel.level
        let content: NodeConfigurationFile.Content
        do {
            content = try NodeConfigurationFile.load(config)
        } catch {
            FileHandle.standardError.write(Data("apusd: \(error)\n".utf8))
            throw ExitCode(2)
        }
        if check { return }
        do { try await serve(content, logger) } catch {
            logger.critical("apusd ends", metadata: ["reason": "\(error)"])
            throw ExitCode(1)
        }
    }

    private func serve(_ content: NodeConfigurationFile.Content, _ unnamed: Logger) async throws {
        var logger = unnamed
        let identity = ListenerIdentity()
        let configuration: NodeConfiguration
        var seat: FormingSeat?
        switch content {
        case .fixed(let fixed):
            configuration = fixed
            try identity.showMember(folder: fixed.directories.identity)
        case .local(let settings):
            (configuration, seat) = try Self.seat(settings, showing: identity, logger)
        }
        logger[metadataKey: "node"] = "\(configuration.node)"
        let node = try await NodeService(configuration: configuration, forming: seat, logger: logger)
        let validation = await ValidationService(of: node, logger: logger)
        let server = NodeServer(
            operations: node, validation: validation, socketPath: configuration.directories.apiSocket,
            cluster: .init(address: configuration.ownAddress.cluster, port: configuration.apiPort, identity: identity),
            version: ApusVersion.current, logger: logger, refusal: { [seat] holder in seat?.refusal(of: holder) },
            onListening: { [logger] _ in logger.notice("ready", metadata: ["socket": "\(configuration.directories.apiSocket)"]) })
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: node), .init(service: validation), .init(service: server)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }

    /// A node that may be a member: its state folder says so.
    private static func seat(
        _ settings: NodeSettings, showing identity: ListenerIdentity, _ logger: Logger
    ) throws -> (NodeConfiguration, FormingSeat) {
        let folder = ClusterFolder(state: settings.directories.state)
        if try folder.tidy() { logger.notice("what was delivered by a join that was not gone on with is dropped") }
        let member = try folder.member()
        if let member, member.node != settings.node {
            throw NodeConfigurationError(
                file: "node.yaml",
                problem: "node: says \(settings.node), but this node is the member \(member.node) of cluster \(member.cluster). "
                    + "Correct the name; a member is not renamed.")
        }
        let own = NodeAddress(
            name: settings.node, cluster: settings.addresses.cluster, migration: settings.addresses.migration)
        let configuration = settings.configuration(
            cluster: member?.cluster.rawValue ?? "", nodes: member?.nodes ?? [own], identity: folder.identity)
        let seat = FormingSeat(
            settings: settings, folder: folder, shown: Shown(identity: identity), logger: logger)
        return (configuration, seat)
    }

    private struct Shown: ShownIdentity {
        let identity: ListenerIdentity
        func showFree(_ free: FreeNodeIdentity) throws { try identity.showFree(free) }
        func showMember(folder: String, isRenewal: Bool) throws { try identity.showMember(folder: folder, isRenewal: isRenewal) }
    }
}

/// The log levels by the names that swift-log gives them.
enum LogLevel: String, ExpressibleByArgument, CaseIterable {
    case trace, debug, info, notice, warning, error
    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
