import ArgumentParser
import ClusterModel
import Foundation
import Logging
import NodeServer
import NodeService
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
        let configuration: NodeConfiguration
        do {
            configuration = try NodeConfigurationFile.load(config)
        } catch {
            FileHandle.standardError.write(Data("apusd: \(error)\n".utf8))
            throw ExitCode(2)
        }
        if check { return }
        logger[metadataKey: "node"] = "\(configuration.node)"
        do {
            let node = try await NodeService(configuration: configuration, logger: logger)
            let server = NodeServer(
                operations: node, socketPath: configuration.directories.apiSocket,
                cluster: .init(
                    address: configuration.ownAddress.cluster, port: configuration.apiPort, identity: configuration.directories.identity),
                version: ApusVersion.current, logger: logger,
                onListening: { [logger] _ in logger.notice("ready", metadata: ["socket": "\(configuration.directories.apiSocket)"]) })
            let group = ServiceGroup(
                configuration: .init(
                    services: [.init(service: node), .init(service: server)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
            try await group.run()
        } catch {
            logger.critical("apusd ends", metadata: ["reason": "\(error)"])
            throw ExitCode(1)
        }
    }
}

/// The log levels by the names that swift-log gives them.
enum LogLevel: String, ExpressibleByArgument, CaseIterable {
    case trace, debug, info, notice, warning, error
    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
