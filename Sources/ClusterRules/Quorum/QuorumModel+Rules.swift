import ClusterModel

extension QuorumModel {
    /// The model that a number of nodes and a witness ask for: an odd number decides by itself, an even one needs the witness.
    public static func recommended(nodes: Int, witness: Witness) -> QuorumModel {
        guard nodes.isMultiple(of: 2) else { return .nodeMajority }
        return switch witness {
        case .none: .nodeMajority
        case .disk: .nodeAndDiskMajority
        case .fileShare: .nodeAndFileShareMajority
        }
    }

    /// Whether the model can work with a witness.
    public func fits(_ witness: Witness) -> Bool {
        switch (self, witness) {
        case (.nodeMajority, _), (.nodeAndDiskMajority, .disk), (.diskOnly, .disk), (.nodeAndFileShareMajority, .fileShare): true
        default: false
        }
    }

    /// Whether the witness has a vote.
    public var countsWitness: Bool { self != .nodeMajority }
}
