/// A node of the block layer, as `query-named-block-nodes` lists it and `query-block` shows what is inserted.
public struct QMPBlockNode: Hashable, Sendable, Decodable {
    public var nodeName: String?
    /// "raw", "nbd", "iscsi", "qcow2", …
    public var driver: String
    /// What it reads from, as QEMU describes it.
    public var file: String
    public var isReadOnly: Bool
    public var image: Image

    public struct Image: Hashable, Sendable, Decodable {
        public var filename: String
        public var format: String
        /// Size that the guest sees.
        public var virtualSizeBytes: UInt64
        /// Size on the storage; nil when the storage cannot tell.
        public var actualSizeBytes: UInt64?
        enum CodingKeys: String, CodingKey {
            case filename, format
            case virtualSizeBytes = "virtual-size"
            case actualSizeBytes = "actual-size"
        }
    }
    enum CodingKeys: String, CodingKey {
        case file, image
        case nodeName = "node-name"
        case driver = "drv"
        case isReadOnly = "ro"
    }
}

/// A drive of the machine, as `query-block` lists it.
public struct QMPBlockDevice: Hashable, Sendable, Decodable {
    /// The name of the backend; empty with `-blockdev`.
    public var device: String
    /// Id or QOM path of the device in the machine.
    public var qdev: String?
    public var inserted: QMPBlockNode?
    public var ioStatus: IOStatus?

    /// Whether requests fail now; only drives with `werror=stop` or `rerror=stop` have it.
    public enum IOStatus: QMPNamedValue {
        case ok, failed, noSpace
        case other(String)
        public static let known: [Self] = [.ok, .failed, .noSpace]
        public var name: String {
            switch self {
            case .ok: "ok"
            case .failed: "failed"
            case .noSpace: "nospace"
            case .other(let name): name
            }
        }
    }
    enum CodingKeys: String, CodingKey {
        case device, qdev, inserted
        case ioStatus = "io-status"
    }
}

extension QMPCommands {
    public struct QueryBlock: QMPCommand {
        public typealias Reply = [QMPBlockDevice]
        public static let name = "query-block"
    }
    public struct QueryNamedBlockNodes: QMPCommand {
        public typealias Reply = [QMPBlockNode]
        public static let name = "query-named-block-nodes"
        public var flat: Bool
    }
    public struct BlockdevAdd: QMPCommand {
        public static let name = "blockdev-add"
        public var options: [String: QMPValue]
        public func encode(to encoder: any Encoder) throws { try options.encode(to: encoder) }
    }
    public struct BlockdevDel: QMPCommand {
        public static let name = "blockdev-del"
        public var nodeName: String
        enum CodingKeys: String, CodingKey { case nodeName = "node-name" }
    }
    public struct BlockResize: QMPCommand {
        public static let name = "block_resize"
        public var nodeName: String
        public var size: UInt64
        enum CodingKeys: String, CodingKey {
            case size
            case nodeName = "node-name"
        }
    }
}

extension QMPCommand where Self == QMPCommands.QueryBlock { public static var queryBlock: Self { Self() } }
extension QMPCommand where Self == QMPCommands.QueryNamedBlockNodes {
    /// Every node, each without its backing chain.
    public static var queryNamedBlockNodes: Self { Self(flat: true) }
}
extension QMPCommand where Self == QMPCommands.BlockdevAdd {
    /// Adds a node. `options` are `BlockdevOptions` (qapi/block-core.json): "driver", "node-name" and those of the driver.
    public static func blockdevAdd(_ options: [String: QMPValue]) -> Self { Self(options: options) }
}
extension QMPCommand where Self == QMPCommands.BlockdevDel {
    public static func blockdevDel(nodeName: String) -> Self { Self(nodeName: nodeName) }
}
extension QMPCommand where Self == QMPCommands.BlockResize {
    /// Tells the guest about the new size of a node, in bytes.
    public static func blockResize(nodeName: String, to size: UInt64) -> Self { Self(nodeName: nodeName, size: size) }
}
