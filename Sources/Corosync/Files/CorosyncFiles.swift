import Foundation
import Glibc

/// The folder with Corosync's configuration and the cluster's key. Apus replaces nothing there that it did not write.
public struct CorosyncFiles: Hashable, Sendable {
    /// What the folder holds.
    public enum Content: Hashable, Sendable {
        case nothing
        case ours(CorosyncConfiguration)
        /// Written by Apus, and not readable as that any more.
        case damaged(CorosyncConfigurationError)
        /// The example of Debian's package; may be replaced.
        case packageExample
        case foreign
    }

    public var folder: String
    public init(folder: String = "/etc/corosync") { self.folder = folder }

    public var configurationPath: String { folder + "/corosync.conf" }
    public var keyPath: String { folder + "/authkey" }
    /// corosync-keygen(8) makes as many; totem uses no more.
    public static let keyByteCount = 256

    /// A key for a new cluster, from the kernel's random numbers.
    public static func newKey() -> [UInt8] {
        // On Linux this generator is getrandom(2).
        var generator = SystemRandomNumberGenerator()
        return (0..<keyByteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// Reads the configuration.
    public func content() throws(CorosyncFileError) -> Content {
        guard let bytes = try FileStep.read(configurationPath, limit: ConfigurationSection.maximumByteCount) else { return .nothing }
        guard let text = String(validating: bytes, as: UTF8.self) else { return .foreign }
        guard CorosyncConfiguration.isOurs(text) else {
            return CorosyncConfiguration.isPackageExample(text) ? .packageExample : .foreign
        }
        do throws(CorosyncConfigurationError) { return .ours(try CorosyncConfiguration(parsing: text)) } catch { return .damaged(error) }
    }

    /// The key, if there is one.
    public func key() throws(CorosyncFileError) -> [UInt8]? { try FileStep.read(keyPath, limit: 4_096) }

    /// Writes the configuration, and the key if one is given. Each file is replaced whole or not at all, and is on disk on return.
    ///
    /// - Parameter replacesDamaged: A file of ours that was changed by hand is replaced too.
    /// - Throws: ``CorosyncFileError/notOurs(_:)``, ``CorosyncFileError/otherCluster(_:)``, ``CorosyncFileError/notNewer(_:_:)`` (the
    ///   version must rise with every change; writing the same again is no change), ``CorosyncFileError/invalid(_:)``.
    public func write(
        _ configuration: CorosyncConfiguration, key: [UInt8]? = nil, replacesDamaged: Bool = false
    ) throws(CorosyncFileError) {
        let text: String
        do throws(CorosyncConfigurationError) { text = try configuration.text() } catch { throw .invalid(error) }
        guard configuration.keyFile == keyPath || folder != "/etc/corosync" else {
            throw .invalid(.invalid(["The key is written to \(keyPath), so the configuration must name it."]))
        }
        if let key, !(128...4_096).contains(key.count) {
            throw .invalid(.invalid(["The key has \(key.count) bytes; Corosync takes 128 to 4096."]))
        }
        switch try content() {
        case .nothing: break
        case .ours(configuration) where key == nil: return
        case .ours(let present):
            guard present.clusterID == configuration.clusterID else { throw .otherCluster(configurationPath) }
            guard present == configuration || present.version < configuration.version else {
                throw .notNewer(present: present.version, new: configuration.version)
            }
        case .damaged(let problem): guard replacesDamaged else { throw .invalid(problem) }
        case .packageExample: try FileStep.keep(configurationPath, as: configurationPath + ".before-apus")
        case .foreign: throw .notOurs(configurationPath)
        }
        // The key first: a configuration without its key would not start.
        if let key { try FileStep.replace(keyPath, with: key, mode: 0o400) }
        try FileStep.replace(configurationPath, with: Array(text.utf8), mode: 0o644)
    }

    /// Removes the configuration and the key, for a node that leaves its cluster. Stop Corosync first.
    ///
    /// - Returns: false when there was nothing.
    @discardableResult
    public func remove() throws(CorosyncFileError) -> Bool {
        switch try content() {
        case .nothing, .packageExample: return false
        case .foreign: throw .notOurs(configurationPath)
        case .ours, .damaged: break
        }
        // The key first: without it this node can never again be heard by the others.
        try FileStep.remove(keyPath)
        try FileStep.remove(configurationPath)
        try FileStep.synchronize(folder: folder)
        return true
    }
}

/// Why Corosync's files could not be read or written.
public enum CorosyncFileError: Error, Hashable, Sendable, CustomStringConvertible {
    case notOurs(String)
    case otherCluster(String)
    case notNewer(present: UInt64, new: UInt64)
    case invalid(CorosyncConfigurationError)
    case file(path: String, operation: String, errno: Int32)

    public var description: String {
        switch self {
        case .notOurs(let path):
            "\(path) was not written by Apus, so it is left as it is. This host may belong to another cluster (Pacemaker, Proxmox VE). "
                + "If it does not, move the file away: mv \(path) \(path).old"
        case .otherCluster(let path): "\(path) belongs to another cluster of Apus. Take this node out of that one first."
        case .notNewer(let present, let new):
            "The Corosync configuration on this node has version \(present); version \(new) with another content is not newer."
        case .invalid(let error): error.description
        case .file(let path, let operation, let error):
            "\(path): \(operation) failed: \(String(cString: strerror(error)))."
        }
    }
}
