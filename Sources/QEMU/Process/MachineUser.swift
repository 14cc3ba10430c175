import Glibc

/// The unprivileged system user that QEMU runs as.
public struct MachineUser: Hashable, Sendable {
    public var name: String
    public var userID: UInt32
    public var groupID: UInt32
    /// All its groups, for instance `kvm`, by which it may open /dev/kvm.
    public var groups: [UInt32]

    /// Looks a user up in the system's user database; blocks for as long as that takes.
    ///
    /// - Throws: ``MachineProcessError/noSuchUser(_:)``, and ``MachineProcessError/privilegedUser(_:)`` for root.
    public init(named name: String) throws(MachineProcessError) {
        var entry = passwd()
        var buffer = [CChar](repeating: 0, count: 16_384)
        var found: UnsafeMutablePointer<passwd>?
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { throw .noSuchUser(name) }
        guard entry.pw_uid != 0 else { throw .privilegedUser(name) }
        var groups = [gid_t](repeating: 0, count: 256)
        var count = Int32(groups.count)
        // Fails only when there are more groups; the first 256 are then as many as are used.
        _ = getgrouplist(name, entry.pw_gid, &groups, &count)
        self.name = name
        userID = entry.pw_uid
        groupID = entry.pw_gid
        self.groups = Array(groups.prefix(Int(max(0, min(count, 256)))))
    }

    /// Whether the permission bits of a file let this user read and write it.
    func canReadAndWrite(_ path: String) -> Bool {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return false }
        let bits: mode_t =
            facts.st_uid == userID ? facts.st_mode >> 6 : groups.contains(facts.st_gid) ? facts.st_mode >> 3 : facts.st_mode
        return bits & 6 == 6
    }
}
