import ClusterModel

extension ConfigurationLog {
    /// The replicas that acknowledged everything committed in the open epoch: those that a change of votes can build on.
    public var votersPresent: VotersPresent {
        guard let session, session.isOpen else { return VotersPresent(nodes: [], witness: false) }
        return VotersPresent(
            nodes: session.acknowledged.filter { $0.value >= committed }.keys, witness: session.witnessAcknowledged[votes.witnessID] != nil)
    }
}
