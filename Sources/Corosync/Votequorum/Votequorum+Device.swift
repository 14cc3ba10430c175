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
    /// - Throws: ``CorosyncError/staleRing(_:)`` when the membership has changed since, ``CorosyncError/deviceDisabled(_:)`` after a
    ///   reload of votes that Corosync does not take; the last vote then counts until its timeout.
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
        } catch .refused(call: call, .access) {
            // Whoever may connect may poll; this is how a disabled device answers.
            throw .deviceDisabled(name)
        }
    }

    /// Takes the device's vote back at once, without waiting for its timeout.
    public nonisolated func unregisterDevice(_ name: String, within limit: Duration = .seconds(5)) async throws(CorosyncError) {
        try checkDevice(name)
        try await perform("votequorum_qdevice_unregister", within: limit) { votequorum_qdevice_unregister($0, name) }
    }

    /// Sets the expected votes of **all** members at once, until a node joins or the configuration is reloaded.
    ///
    /// Measured with 3.1.7 and a quorum device, whose vote is part of all these numbers:
    /// - What is less than the votes present, or would end the quorum, is refused with `CS_ERR_INVALID_PARAM`. So a cluster of three
    ///   and a witness can be lowered from 4 to 3 once a node is dead, and from 3 to 2 with the last node and the witness.
    /// - It works without quorum too; a device keeps the value at 2 or more.
    /// - When a node joins, the value rises to the votes then present, not to what the files say.
    /// - A node that starts expects what its own file says, so one that was absent while others lowered the value cannot become
    ///   quorate alone by it.
    public nonisolated func setExpectedVotes(_ votes: UInt32, within limit: Duration = .seconds(5)) async throws(CorosyncError) {
        try await perform("votequorum_setexpected", within: limit) { votequorum_setexpected($0, votes) }
    }

    /// Sets a node's votes at all members, until that node starts anew or the configuration is reloaded (each node then takes its own
    /// votes from its own file).
    ///
    /// Measured with 3.1.7: works for living and dead nodes alike; expected votes do not follow, neither down nor, for a dead node, at
    /// all: lower them with ``setExpectedVotes(_:within:)`` afterwards. To do both at once and to stay, write `votes` and
    /// `expected_votes` into all files and reload: that lowers and raises at run time, with a device too, but never below the votes
    /// present.
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
