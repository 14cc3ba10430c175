import ArgumentParser
import ClusterAPI
import ClusterModel
import Foundation
import NodeClient

/// Which node is asked, and how its answer is printed: options of every command that asks one.
struct ConnectionOptions: ParsableArguments {
    @Flag(help: "Print JSON instead of text.") var json = false

    @Option(
        help: ArgumentHelp(
            "Socket of the node service. (default: $APUS_SOCKET, else /run/apus/apusd.sock, else n1 of the lab)", valueName: "path"),
        completion: .file(extensions: ["sock"]))
    var socket: String?

    @Option(
        help: ArgumentHelp(
            "Ask the node at this address instead, over mutual TLS; port 7060 unless given.", valueName: "address[:port]"))
    var node: String?

    @Option(
        help: ArgumentHelp(
            "With --node: folder with your certificate and key, a node's or an administrator's. (default: /etc/apus/identity)",
            valueName: "folder"),
        completion: .directory)
    var identity: String?

    func validate() throws {
        if node != nil, socket != nil { throw ValidationError("Give --node or --socket, not both.") }
        if node == nil, identity != nil { throw ValidationError("--identity goes with --node.") }
        if let node { _ = try Self.parse(address: node) }
    }

    func client() async throws -> NodeClient {
        guard let node else {
            if let socket { return NodeClient(socketPath: socket) }
            let home = await HomeNode.find()
            home.announce()
            return NodeClient(socketPath: home.socket)
        }
        let (address, port) = try Self.parse(address: node)
        return try NodeClient(
            address: address, port: port, node: nil, identity: identity ?? NodeDirectories().identity, connectTimeout: .seconds(5))
    }

    /// `10.71.0.2`, `n2.example:7061`, `[fd00::2]:7060` or `fd00::2`.
    static func parse(address text: String) throws -> (address: String, port: Int) {
        let complaint = ValidationError("\"\(text)\" is no address. Write ADDRESS or ADDRESS:PORT, for instance 10.71.0.2:7060.")
        let host: Substring
        let portText: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw complaint }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw complaint }
            portText = rest.isEmpty ? nil : rest.dropFirst()
        } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
        } else {
            host = text[...]
            portText = nil
        }
        let isPlain = host.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ":")
        }
        guard !host.isEmpty, isPlain else { throw complaint }
        guard let portText else { return (String(host), 7060) }
        guard let port = Int(portText), (1...65_535).contains(port) else { throw complaint }
        return (String(host), port)
    }
}

/// A command that asks a node one thing.
protocol NodeQuestion: AsyncParsableCommand {
    var connection: ConnectionOptions { get }
    func run(asking client: NodeClient) async throws
}

extension NodeQuestion {
    func run() async throws {
        let client = try await connection.client()
        do {
            try await run(asking: client)
        } catch let error as APIError {
            let source = error.node.map { "\($0): " } ?? ""
            throw CommandFailure(message: source + error.message)
        }
    }

    /// Prints the value itself as JSON, or what `text` makes of it.
    func show(_ value: some Encodable, text: () -> String) throws {
        if connection.json { try Console.print(json: value) } else { Console.print(text()) }
    }
}
