import ClusterModel

extension ClusterState {
    /// The node that decides for a partition: the lowest number among its members that the log knows to be up.
    ///
    /// - Parameter present: The members of an open epoch; nil while none is open. Then nobody decides.
    /// - Returns: The same on every member, because they share the log and the epoch's list of members.
    public func coordinator(among present: (some Sequence<NodeID>)?) -> NodeID? {
        present?.filter { nodes[$0]?.presence == .up }.min()
    }
}
