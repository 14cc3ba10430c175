import ClusterModel

/// A list that a test made: adapters of a node, packages of all nodes side by side.
public struct FactTable: Hashable, Sendable, Codable {
    public struct Column: Hashable, Sendable, Codable {
        public var title: String
        /// Numbers are set flush right.
        public var isNumber: Bool
        public init(_ title: String, isNumber: Bool = false) {
            self.title = title
            self.isNumber = isNumber
        }
    }
    public var caption: String
    /// nil when the table is about all nodes.
    public var node: NodeName?
    public var columns: [Column]
    /// Each as long as ``columns``; an empty text where nothing is known.
    public var rows: [[String]]

    public init(_ caption: String, node: NodeName? = nil, columns: [Column], rows: [[String]]) {
        self.caption = caption
        self.node = node
        self.columns = columns
        self.rows = rows
    }
}
