import CCorosync
import Glibc

/// A value in Corosync's maps.
public enum ConfigurationValue: Hashable, Sendable, CustomStringConvertible {
    case text(String)
    case unsigned(UInt64)
    case signed(Int64)
    case number(Double)
    case bytes([UInt8])

    public var description: String {
        switch self {
        case .text(let text): text
        case .unsigned(let value): "\(value)"
        case .signed(let value): "\(value)"
        case .number(let value): "\(value)"
        case .bytes(let bytes): "\(bytes.count) bytes"
        }
    }
    /// The integer, if it is one that is not negative.
    public var integer: UInt64? {
        switch self {
        case .unsigned(let value): value
        case .signed(let value): UInt64(exactly: value)
        default: nil
        }
    }
}

/// Reads Corosync's configuration and statistics at run time (cmap, cmap_keys(7)). Connects when it is used, and again after a restart.
public final class ConfigurationMap: Sendable {
    public enum Map: Hashable, Sendable { case configuration, statistics }
    private let configuration: LibraryConnection<cmap_handle_t>
    private let statistics: LibraryConnection<cmap_handle_t>

    public init() {
        configuration = Self.connection(CMAP_MAP_DEFAULT)
        statistics = Self.connection(CMAP_MAP_STATS)
    }

    private static func connection(_ map: cmap_map_t) -> LibraryConnection<cmap_handle_t> {
        LibraryConnection(
            label: "apus.corosync.cmap", call: "cmap_initialize_map", none: 0, initialize: { cmap_initialize_map(&$0, map) },
            finalize: { _ = cmap_finalize($0) })
    }

    private func connection(_ map: Map) -> LibraryConnection<cmap_handle_t> { map == .configuration ? configuration : statistics }

    /// - Returns: nil when there is no such key.
    public func value(
        _ key: String, in map: Map = .configuration, within limit: Duration = .seconds(5)
    ) async throws(CorosyncError) -> ConfigurationValue? {
        guard (1...Int(CMAP_KEYNAME_MAXLEN)).contains(key.utf8.count), !key.utf8.contains(0) else { throw .invalidName(key) }
        return try await connection(map).perform("cmap_get", within: limit) { handle throws(CorosyncError) in
            try Self.read(handle, key, type: nil)
        }
    }

    /// The integer behind a key; nil when there is none.
    public func integer(_ key: String, within limit: Duration = .seconds(5)) async throws(CorosyncError) -> UInt64? {
        try await value(key, within: limit)?.integer
    }

    /// The text behind a key; nil when there is none.
    public func text(_ key: String, within limit: Duration = .seconds(5)) async throws(CorosyncError) -> String? {
        guard case .text(let text) = try await value(key, within: limit) else { return nil }
        return text
    }

    /// All keys that begin with `prefix`. The match is one of text: `nodelist.node.1` also finds 10; end it with a dot.
    public func values(
        prefix: String, in map: Map = .configuration, within limit: Duration = .seconds(5)
    ) async throws(CorosyncError) -> [String: ConfigurationValue] {
        try await connection(map).perform("cmap_iter_init", within: limit) { handle throws(CorosyncError) in
            var iterator: cmap_iter_handle_t = 0
            try check("cmap_iter_init", cmap_iter_init(handle, prefix, &iterator))
            defer { _ = cmap_iter_finalize(handle, iterator) }
            var name = [CChar](repeating: 0, count: Int(CMAP_KEYNAME_MAXLEN) + 1)
            var type = CMAP_VALUETYPE_UINT8
            var values: [String: ConfigurationValue] = [:]
            while true {
                let code = cmap_iter_next(handle, iterator, &name, nil, &type)
                if code == CS_ERR_NO_SECTIONS { return values }
                try check("cmap_iter_next", code)
                let key = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                // A key may go between the two calls.
                if let value = try Self.read(handle, key, type: type) { values[key] = value }
            }
        }
    }

    private static func read(
        _ handle: cmap_handle_t, _ key: String, type known: cmap_value_types_t?
    ) throws(CorosyncError) -> ConfigurationValue? {
        var type = known ?? CMAP_VALUETYPE_UINT8
        var count = 0
        let code = cmap_get(handle, key, nil, &count, &type)
        if code == CS_ERR_NOT_EXIST { return nil }
        try check("cmap_get", code)
        // The longest text Corosync keeps is far below; a size from outside must not decide what we allocate.
        guard (0...1 << 20).contains(count) else { return nil }
        var bytes = [UInt8](repeating: 0, count: max(count, 8))
        count = bytes.count
        let second = cmap_get(handle, key, &bytes, &count, &type)
        if second == CS_ERR_NOT_EXIST { return nil }
        try check("cmap_get", second)
        return value(Array(bytes.prefix(max(0, count))), type)
    }

    private static func value(_ bytes: [UInt8], _ type: cmap_value_types_t) -> ConfigurationValue? {
        func load<Integer: FixedWidthInteger>(_: Integer.Type) -> Integer? {
            guard bytes.count >= MemoryLayout<Integer>.size else { return nil }
            return bytes.withUnsafeBytes { $0.loadUnaligned(as: Integer.self) }
        }
        return switch type {
        case CMAP_VALUETYPE_INT8: load(Int8.self).map { .signed(Int64($0)) }
        case CMAP_VALUETYPE_INT16: load(Int16.self).map { .signed(Int64($0)) }
        case CMAP_VALUETYPE_INT32: load(Int32.self).map { .signed(Int64($0)) }
        case CMAP_VALUETYPE_INT64: load(Int64.self).map { .signed($0) }
        case CMAP_VALUETYPE_UINT8: load(UInt8.self).map { .unsigned(UInt64($0)) }
        case CMAP_VALUETYPE_UINT16: load(UInt16.self).map { .unsigned(UInt64($0)) }
        case CMAP_VALUETYPE_UINT32: load(UInt32.self).map { .unsigned(UInt64($0)) }
        case CMAP_VALUETYPE_UINT64: load(UInt64.self).map { .unsigned($0) }
        case CMAP_VALUETYPE_FLOAT: load(UInt32.self).map { .number(Double(Float(bitPattern: $0))) }
        case CMAP_VALUETYPE_DOUBLE: load(UInt64.self).map { .number(Double(bitPattern: $0)) }
        case CMAP_VALUETYPE_STRING: .text(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
        default: .bytes(bytes)
        }
    }
}
