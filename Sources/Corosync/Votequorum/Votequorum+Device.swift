import CCorosync

/// The quorum device: this process casts the vote of a witness. `quorum.device.model` in corosync.conf must name some device, and
/// all nodes must use one name.
///
/// The vote is this node's own: every node of a partition that is to have the witness's vote casts it.
extension Votequorum {
    /// Announces the device. Registering again after a restart of this process takes over.
    public nonisolated func registerDevice(_ name: String, within limit: Duration = .seconds(5)) async throws(CorosyncError) {
        try checkDevice(name)
        try await perform("votequorum_qdevice_register", within: limit) { votequorum_qdevice_register($0, name) }
    }

    /// Casts or withholds the vote for one ring. To be repeated well within `quorum.device.timeout`, and at once for every new ring.
    ///
    /// - Throws: ``CorosyncError/staleRing(_:)`` when the membership has changed since.
    public nonisolated func poll(
        device name: String, castsVote: Bool, for ring: RingID, within limit: Duration = .seconds(1)
    ) async throws(CorosyncError) {
        try checkDevice(name)
        let call = "votequorum_qdevice_poll"
        let id = votequorum_ring_id_t(nodeid: ring.representative.rawValue, seq: ring.sequence)
        do throws(CorosyncError) {
            try await perform(call, within: limit) { votequorum_qdevice_poll($0, name, castsVote ? 1 : 0, id) }
        } catch .refused(call: call, .messageError) {
            throw .staleRing(ring)
        }
    }

    /// Takes the device's vote back at once, without waiting for its timeout.
    public nonisolated func unregisterDevice(_ name: String, within limit: Duration = .seconds(5)) async throws(CorosyncError) {
        try checkDevice(name)
        try await perform("votequorum_qdevice_unregister", within: limit) { votequorum_qdevice_unregister($0, name) }
    }

    public nonisolated func setExpectedVotes(_ votes: UInt32, within limit: Duration = .seconds(5)) async throws(CorosyncError) {
        try await perform("votequorum_setexpected", within: limit) { votequorum_setexpected($0, votes) }
    }

    public nonisolated func setVotes(
        _ votes: UInt32, of node: CorosyncNodeID, within limit: Duration = .seconds(5)
    ) async throws(CorosyncError) {
        try await perform("votequorum_setvotes", within: limit) { votequorum_setvotes($0, node.rawValue, votes) }
    }

    private nonisolated func checkDevice(_ name: String) throws(CorosyncError) {
        guard (1..<Int(VOTEQUORUM_QDEVICE_MAX_NAME_LEN)).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw .invalidName(name)
        }
    }
}
