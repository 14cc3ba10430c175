import ClusterModel

extension ConfigurationLog {
    /// The replicas that acknowledged everything committed in the open epoch: those that a change of votes can build on.
    public var votersPresent: VotersPresent {
        guard let session, session.isOpen else { return VotersPresent(nodes: [], witness: false) }
        let witnessID = votes.witnessID
        // Its holder may have lost it since it was written.
        let isHeld = session.witnesses.values.contains { $0.witnessID == witnessID }
        return VotersPresent(
            nodes: session.acknowledged.filter { $0.value >= committed }.keys,
            witness: isHeld && session.witnessAcknowledged[witnessID] != nil)
    }
}
