extension QMPCommands {
    /// Makes a user-creatable object (qapi/qom.json).
    public struct ObjectAdd: QMPCommand {
        public static let name = "object-add"
        public var type: String
        public var id: String
        public var properties: [String: QMPValue]

        public init(type: String, id: String, properties: [String: QMPValue] = [:]) {
            self.type = type
            self.id = id
            self.properties = properties
        }

        public func encode(to encoder: any Encoder) throws {
            var members = properties
            members["qom-type"] = .string(type)
            members["id"] = .string(id)
            try members.encode(to: encoder)
        }
    }
    public struct ObjectDel: QMPCommand {
        public static let name = "object-del"
        public var id: String
    }
}

/// Which end of a TLS connection QEMU is.
public enum QMPTLSEndpoint: String, Sendable {
    /// The migration's source.
    case client
    /// The migration's destination.
    case server
}

extension QMPCommand where Self == QMPCommands.ObjectAdd {
    public static func objectAdd(type: String, id: String, properties: [String: QMPValue] = [:]) -> Self {
        Self(type: type, id: id, properties: properties)
    }

    /// X.509 credentials (qemu(1), "TLS setup for network services").
    ///
    /// - Parameters:
    ///   - directory: Holds `ca-cert.pem` and `client-cert.pem`/`client-key.pem` or `server-cert.pem`/`server-key.pem`, readable for QEMU.
    ///   - verifyPeer: On a server: whether the client must present a certificate that the authority signed.
    ///   - priority: GnuTLS priority string; nil for QEMU's own.
    public static func tlsCredentialsX509(
        id: String, directory: String, endpoint: QMPTLSEndpoint, verifyPeer: Bool = true, priority: String? = nil
    ) -> Self {
        var properties: [String: QMPValue] = [
            "dir": .string(directory), "endpoint": .string(endpoint.rawValue), "verify-peer": .bool(verifyPeer),
        ]
        if let priority { properties["priority"] = .string(priority) }
        return Self(type: "tls-creds-x509", id: id, properties: properties)
    }

    /// A secret that QEMU reads from a file, so that it shows up neither in the list of processes nor in a log.
    public static func secret(id: String, file: String) -> Self {
        Self(type: "secret", id: id, properties: ["file": .string(file), "format": "raw"])
    }

    /// Admits one identity. For TLS that is the distinguished name of the client's certificate, for example "CN=node-a".
    public static func authorizeOnly(id: String, identity: String) -> Self {
        Self(type: "authz-simple", id: id, properties: ["identity": .string(identity)])
    }
}
extension QMPCommand where Self == QMPCommands.ObjectDel {
    public static func objectDel(id: String) -> Self { Self(id: id) }
}
