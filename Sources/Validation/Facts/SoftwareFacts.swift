/// What runs on the node.
public struct SoftwareFacts: Hashable, Sendable, Codable {
    /// uname(2): `6.1.0-18-amd64` and the build.
    public var kernelRelease: String?
    public var kernelVersion: String?
    public var kernelCommandLine: String?
    /// os-release(5): `debian`, `12`, `Debian GNU/Linux 12 (bookworm)`.
    public var distributionID: String?
    public var distributionVersion: String?
    public var distributionName: String?
    public var packages: [PackageFacts] = []
    public var apusVersion: String?
    public var qemuVersion: String?
    public var corosyncVersion: String?
    public var services: [ServiceFacts] = []
    /// Modules that are loaded or built in, of those that matter here.
    public var modules: [String] = []
    /// Of `locale`, `timezone`, `http_proxy` and their like: what services inherit.
    public var environment: [String: String] = [:]
    /// Why a restart is pending; empty when none is.
    public var pendingReboot: [String] = []
    /// Seconds since the node was started.
    public var uptimeSeconds: Int?
    public init() {}
}

/// A package as dpkg or rpm knows it.
public struct PackageFacts: Hashable, Sendable, Codable {
    public var name: String
    /// nil when it is not installed.
    public var version: String?
    public init(name: String, version: String?) {
        self.name = name
        self.version = version
    }
}

/// A unit as `systemctl show` tells.
public struct ServiceFacts: Hashable, Sendable, Codable {
    public var name: String
    /// `active`, `inactive`, `failed`; nil when there is no such unit.
    public var activeState: String?
    /// `enabled`, `disabled`, `static`, `masked`.
    public var enabledState: String?
    public init(name: String, activeState: String?, enabledState: String?) {
        self.name = name
        self.activeState = activeState
        self.enabledState = enabledState
    }
}
