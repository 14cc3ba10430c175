/// The name of a cluster; also `totem.cluster_name` of Corosync, which keeps two clusters on one network apart (corosync.conf(5)).
public struct ClusterName: OperatorName {
    public let rawValue: String
    public init(unchecked rawValue: String) { self.rawValue = rawValue }
    public static var noun: String { "cluster name" }
}

// Without these a dictionary with such keys would be encoded as a list in the order of its hash table: other bytes on every node.
extension VMName: CodingKeyRepresentable {
    public init?<T: CodingKey>(codingKey: T) {
        guard let name = try? VMName(codingKey.stringValue) else { return nil }
        self = name
    }
    public var codingKey: any CodingKey { NameKey(stringValue: rawValue) }
}

extension DiskID: CodingKeyRepresentable {
    public init?<T: CodingKey>(codingKey: T) { self.init(codingKey.stringValue) }
    public var codingKey: any CodingKey { NameKey(stringValue: rawValue) }
}

private struct NameKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
