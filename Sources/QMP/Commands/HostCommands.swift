/// A machine type, as `query-machines` lists it.
public struct QMPMachineType: Hashable, Sendable, Decodable {
    /// For example "pc-q35-7.2".
    public var name: String
    /// For example "q35" for the newest of its kind; both ends of a migration must use ``name``.
    public var alias: String?
    public var isDefault: Bool?
    public var maximumCPUs: Int
    public var isDeprecated: Bool

    enum CodingKeys: String, CodingKey {
        case name, alias
        case isDefault = "is-default"
        case maximumCPUs = "cpu-max"
        case isDeprecated = "deprecated"
    }
}

/// A CPU model, as `query-cpu-definitions` lists it.
public struct QMPCPUDefinition: Hashable, Sendable, Decodable {
    /// For example "Skylake-Server-v4".
    public var name: String
    public var aliasOf: String?
    /// Whether the model is the same on every host and with every version of QEMU.
    public var isMigrationSafe: Bool?
    public var isStatic: Bool
    /// What this host, with this acceleration, lacks for the model. Empty: it runs here. nil: unknown. Whether it is known and
    /// for which acceleration depends on the machine that is asked; `-machine none` answers for the default one.
    public var unavailableFeatures: [String]?
    public var isDeprecated: Bool

    enum CodingKeys: String, CodingKey {
        case name
        case aliasOf = "alias-of"
        case isMigrationSafe = "migration-safe"
        case isStatic = "static"
        case unavailableFeatures = "unavailable-features"
        case isDeprecated = "deprecated"
    }
}

/// A CPU model with properties, for `query-cpu-model-expansion`.
public struct QMPCPUModel: Hashable, Sendable, Codable {
    public var name: String
    public var props: [String: QMPValue]?
    public init(name: String, props: [String: QMPValue]? = nil) {
        self.name = name
        self.props = props
    }
}

extension QMPCommands {
    public struct QueryMachines: QMPCommand {
        public typealias Reply = [QMPMachineType]
        public static let name = "query-machines"
    }
    public struct QueryCPUDefinitions: QMPCommand {
        public typealias Reply = [QMPCPUDefinition]
        public static let name = "query-cpu-definitions"
    }
    public struct QueryCPUModelExpansion: QMPCommand {
        public struct Reply: Hashable, Sendable, Decodable { public var model: QMPCPUModel }
        public enum Expansion: String, Sendable, Encodable {
            /// Down to a model that never changes, plus properties.
            case `static`
            /// Every property with its value.
            case full
        }
        public static let name = "query-cpu-model-expansion"
        public var type: Expansion
        public var model: QMPCPUModel
    }
}

extension QMPCommand where Self == QMPCommands.QueryMachines { public static var queryMachines: Self { Self() } }
extension QMPCommand where Self == QMPCommands.QueryCPUDefinitions { public static var queryCPUDefinitions: Self { Self() } }
extension QMPCommand where Self == QMPCommands.QueryCPUModelExpansion {
    public static func queryCPUModelExpansion(_ type: Self.Expansion, of model: QMPCPUModel) -> Self {
        Self(type: type, model: model)
    }
}
