import ClusterModel
import Foundation

/// What can happen to the SAN as a whole, and to a network as a whole.
extension Lab {
    private var storage: SAN {
        SAN(keeper: keeper(.san), folder: folder, description: description, credentials: record.credentials)
    }

    /// Pulls the SAN's plug: no node reaches it any more.
    public func cutSAN(isSilent: Bool = false) async throws(LabError) { try await networks.cut(.san, .storage, isSilent: isSilent) }
    /// Puts it back; returns when frames pass again.
    public func restoreSAN() async throws(LabError) { try await networks.restore(keeper(.san), .storage) }

    /// Ends the SAN's service as a power cut would. The disks are as they were; sessions, registrations and reservations are gone,
    /// because tgt keeps them in memory.
    public func stopSAN() async throws(LabError) {
        let end = ContinuousClock.now + .seconds(10)
        while true {
            let processes = san.processes(named: "tgtd")
            if processes.isEmpty { return }
            for process in processes { kill(process, SIGKILL) }
            guard ContinuousClock.now < end else { throw .timeout("tgtd of lab \(folder.prefix) is still there 10 s after it was killed.") }
            do { try await Task.sleep(for: .milliseconds(10)) } catch { throw .refused("Stopping the SAN was cancelled.") }
        }
    }

    /// Starts the service again with the same disks; returns when it can be logged in to.
    public func startSAN() async throws(LabError) {
        guard san.processes(named: "tgtd").isEmpty else { throw .refused("The SAN of lab \(folder.prefix) is running.") }
        try await storage.start()
    }

    /// Ends the SAN's service without a warning and starts it anew.
    public func restartSAN() async throws(LabError) {
        try await stopSAN()
        try await startSAN()
    }

    /// The same, with one disk that needs at least so long for each read and write, until the service is started again.
    public func restartSAN(slowing lun: Int, milliseconds: Int) async throws(LabError) {
        _ = try backingFile(lun: lun)
        try await stopSAN()
        try await storage.start(slowDisk: SAN.SlowDisk(lun: lun, milliseconds: milliseconds, tools: tools))
    }

    /// Splits a network into parts that do not reach each other; nodes of no part keep company with the first. Also for nodes that are
    /// off: they are plugged into their part when they boot.
    public func split(_ network: LabNetwork, into parts: [[NodeName]]) async throws(LabError) {
        let named = parts.flatMap { $0 }
        guard Set(named).count == named.count, named.allSatisfy(description.nodes.contains), parts.count > 1,
            parts.allSatisfy({ !$0.isEmpty })
        else {
            throw .invalid("To split a network, give two or more groups of nodes of the lab, each node once.")
        }
        var parts = parts
        parts[0] += description.nodes.filter { !named.contains($0) }
        try await plug(network, parts)
    }

    /// Makes a network that was split one again.
    public func join(_ network: LabNetwork) async throws(LabError) { try await plug(network, [description.nodes]) }

    private func plug(_ network: LabNetwork, _ parts: [[NodeName]]) async throws(LabError) {
        let lock = try await LabLock.hold(prefix: folder.prefix)
        var record = try LabRecord.read(folder)
        record.splits[network] = parts.count > 1 ? parts : nil
        try record.write(to: folder)
        let running = Set(nodes.filter(\.isRunning).map(\.name))
        try await networks.split(network, into: parts, running: running)
        _ = consume lock
    }
}
