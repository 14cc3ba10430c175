public import ClusterModel

/// How QEMU reaches the bytes of one virtual disk on this node.
///
/// Everything above (definition, PCI addresses, migration) is the same for all of them, so another data path changes nothing else.
public enum DiskAttachment: Hashable, Sendable {
    /// QEMU logs in to the SAN itself.
    case iscsi(ISCSIAttachment)
    /// The node's data path serves the extent on a Unix socket.
    case nbd(socket: String, export: String)
    /// The host has the shared disk as a block device that the machine user may open.
    case hostDevice(path: String, extent: Extent)
}

/// A logical unit reached through libiscsi inside QEMU.
public struct ISCSIAttachment: Hashable, Sendable {
    /// `ADDRESS:PORT`.
    public var portal: String
    public var target: String
    public var lun: Int
    public var initiator: String
    /// CHAP user; nil when the target asks for none.
    public var user: String?
    /// CHAP secret. Reaches QEMU through a file, never through its command line.
    public var secret: String?
    public var extent: Extent
    public init(
        portal: String, target: String, lun: Int, initiator: String, user: String? = nil, secret: String? = nil, extent: Extent
    ) {
        self.portal = portal
        self.target = target
        self.lun = lun
        self.initiator = initiator
        self.user = user
        self.secret = secret
        self.extent = extent
    }
}

extension DiskAttachment {
    /// The block nodes that make `node` readable as the disk itself, from the protocol upwards. The top node has the same name
    /// whatever the attachment is.
    ///
    /// - Parameters:
    ///   - secretID: The `secret` object with the CHAP secret, if there is one.
    ///   - byteCount: Shows only so many bytes from the start; nil for all.
    func blockNodes(node: String, secretID: String?, byteCount: UInt64? = nil) -> [OptionValue] {
        let lower = node + "-lun"
        switch self {
        case .iscsi(let unit):
            var options: OptionValue = [
                "driver": "iscsi", "node-name": .text(lower), "transport": "tcp", "portal": .text(unit.portal),
                "target": .text(unit.target), "lun": .number(UInt64(clamping: unit.lun)), "initiator-name": .text(unit.initiator),
            ]
            if let user = unit.user { options = options.adding("user", .text(user)) }
            if let secretID { options = options.adding("password-secret", .text(secretID)) }
            return [options, Self.slice(node, of: lower, unit.extent, byteCount)]
        case .nbd(let socket, let export):
            // Longer than any restart of the data path. With 0, QEMU's default, the guest would see an error at once.
            let whole: OptionValue = ["driver": "raw", "node-name": .text(node), "file": .text(lower)]
            return [
                [
                    "driver": "nbd", "node-name": .text(lower), "server": ["type": "unix", "path": .text(socket)],
                    "export": .text(export), "reconnect-delay": 60,
                ],
                byteCount.map { whole.adding("size", .number($0)) } ?? whole,
            ]
        case .hostDevice(let path, let extent):
            // QEMU locks whole files, and other machines have other extents of this one; the ownership record guards the extent.
            return [
                [
                    "driver": "host_device", "node-name": .text(lower), "filename": .text(path), "locking": "off", "aio": "native",
                    "cache": ["direct": true, "no-flush": false],
                ],
                Self.slice(node, of: lower, extent, byteCount),
            ]
        }
    }

    private static func slice(_ node: String, of lower: String, _ extent: Extent, _ byteCount: UInt64?) -> OptionValue {
        [
            "driver": "raw", "node-name": .text(node), "file": .text(lower), "offset": .number(extent.byteOffset),
            "size": .number(min(extent.byteCount, byteCount ?? .max)),
        ]
    }

    var secret: String? {
        guard case .iscsi(let unit) = self else { return nil }
        return unit.secret
    }
}
