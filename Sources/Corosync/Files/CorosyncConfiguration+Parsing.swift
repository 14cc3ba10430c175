import ClusterModel
import Foundation

extension CorosyncConfiguration {
    /// Whether Apus wrote the file: its first line says so. What follows may still be damaged.
    public static func isOurs(_ text: String) -> Bool { text.hasPrefix(marker) }

    /// Whether this is the example that the package `corosync` of Debian brings, unchanged in what matters: a cluster "debian" of
    /// one node on the loopback interface, without encryption. Nobody loses anything when it goes.
    public static func isPackageExample(_ text: String) -> Bool {
        guard let file = try? ConfigurationSection.parse(text), let totem = file.section("totem"), let list = file.section("nodelist")
        else { return false }
        let nodes = list.all("node")
        return totem.value("cluster_name") == "debian" && nodes.count == 1 && nodes[0].value("ring0_addr") == "127.0.0.1"
            && nodes[0].value("ring1_addr") == nil && totem.value("keyfile") == nil
    }

    /// Reads a file that ``text()`` wrote. One that says anything else, or less, is damaged.
    ///
    /// - Throws: ``CorosyncConfigurationError/notOurs``, ``CorosyncConfigurationError/damaged(line:_:)``.
    public init(parsing text: String) throws(CorosyncConfigurationError) {
        guard Self.isOurs(text) else { throw .notOurs }
        let file: ConfigurationSection
        do throws(ConfigurationSection.Problem) { file = try ConfigurationSection.parse(text) } catch {
            throw .damaged(line: error.line, error.text)
        }
        let firstLine = text.prefix { !$0.isNewline }
        guard let id = UUID(uuidString: String(firstLine.dropFirst(Self.marker.count))) else {
            throw .damaged(line: 1, "The cluster's UUID is missing.")
        }
        let totem = try Reader(file, "totem")
        let quorum = try Reader(file, "quorum")
        let list = try Reader(file, "nodelist")
        let logging = try Reader(file, "logging")
        var nodes: [Node] = []
        for section in list.section.all("node") { nodes.append(try Self.node(Reader(section))) }
        var witness: Witness?
        if let section = quorum.section.section("device") { witness = try Self.witness(Reader(section)) }
        self.init(
            clusterID: id, clusterName: try totem.text("cluster_name"), version: try totem.number("config_version"), nodes: nodes,
            witness: witness, timing: try Self.timing(totem))
        keyFile = try totem.text("keyfile")
        logFile = try logging.text("logfile")

        // Whatever a hand added, changed or took away shows here: the value writes exactly this file, or the file is not the value's.
        let rewritten: String
        do throws(CorosyncConfigurationError) { rewritten = try self.text() } catch {
            throw .damaged(line: nil, error.description)
        }
        guard rewritten == text else {
            let ours = rewritten.split(separator: "\n", omittingEmptySubsequences: false)
            let theirs = text.split(separator: "\n", omittingEmptySubsequences: false)
            let same = zip(ours, theirs).prefix { $0 == $1 }.count
            throw .damaged(line: same + 1, "Apus would write something else here.")
        }
    }

    private static func node(_ reader: Reader) throws(CorosyncConfigurationError) -> Node {
        let text = try reader.text("name")
        guard let name = try? NodeName(text) else { throw reader.damaged("\"\(text)\" is no node name.") }
        var addresses = [try reader.text("ring0_addr")]
        if let second = reader.section.value("ring1_addr") { addresses.append(second) }
        return Node(
            id: CorosyncNodeID(rawValue: try reader.number("nodeid")), name: name, addresses: addresses,
            votes: try reader.number("quorum_votes"))
    }

    private static func witness(_ reader: Reader) throws(CorosyncConfigurationError) -> Witness {
        var witness = Witness()
        witness.votes = try reader.number("votes")
        witness.timeout = try reader.milliseconds("timeout")
        witness.syncTimeout = try reader.milliseconds("sync_timeout")
        return witness
    }

    private static func timing(_ totem: Reader) throws(CorosyncConfigurationError) -> Timing {
        var timing = Timing()
        timing.token = try totem.milliseconds("token")
        timing.tokenCoefficient = try totem.milliseconds("token_coefficient")
        let link = try Reader(totem.section, "interface")
        timing.pingInterval = try link.milliseconds("knet_ping_interval")
        timing.pingTimeout = try link.milliseconds("knet_ping_timeout")
        return timing
    }

    /// Takes values out of a section, or says which one is missing.
    private struct Reader {
        var section: ConfigurationSection
        init(_ section: ConfigurationSection) { self.section = section }
        init(_ outer: ConfigurationSection, _ name: String) throws(CorosyncConfigurationError) {
            guard let section = outer.section(name) else { throw .damaged(line: nil, "The section \(name) is missing.") }
            self.section = section
        }

        func damaged(_ problem: String) -> CorosyncConfigurationError { .damaged(line: section.line, problem) }

        func text(_ key: String) throws(CorosyncConfigurationError) -> String {
            guard let value = section.value(key) else { throw damaged("The section \(section.name) has no \(key).") }
            return value
        }
        func number<Integer: FixedWidthInteger>(_ key: String) throws(CorosyncConfigurationError) -> Integer {
            let text = try text(key)
            guard let value = Integer(text) else { throw damaged("\(key): \"\(text)\" is no number that fits.") }
            return value
        }
        func milliseconds(_ key: String) throws(CorosyncConfigurationError) -> Duration {
            .milliseconds(try number(key) as UInt32)
        }
    }
}
