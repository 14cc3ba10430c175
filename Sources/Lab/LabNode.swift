import ClusterModel
import Foundation

/// A node of the lab.
public struct LabNode: Sendable {
    let lab: Lab
    public let name: NodeName

    public var member: LabMember { LabMember(keeper: keeper) }
    var keeper: Keeper { lab.keeper(.node(name)) }
    public var isRunning: Bool { member.isRunning }

    /// The API's Unix socket, as seen from outside.
    public var apiSocket: String { lab.folder.run(name) + "/apusd.sock" }
    /// What `apusd` says, over all its starts.
    public var serviceLog: String { lab.folder.run(name) + "/apusd.log" }
    /// The node's `/etc/apus`, `/var/lib/apus` and `/run/apus`, as seen from outside.
    public var configurationFolder: String { lab.folder.etc(name) }
    public var stateFolder: String { lab.folder.state(name) }
    public var runtimeFolder: String { lab.folder.run(name) }
    /// Address on a network, whether the lab has that one or not; nil on the machine network, where a node has none.
    public func address(on network: LabNetwork) -> String? { network.address(ofNode: number) }

    private var number: Int { Int(name.rawValue.dropFirst()) ?? 0 }

    public func exec(_ words: [String], seconds: Int = 60) async throws(LabError) -> CommandResult {
        try await member.exec(words, seconds: seconds)
    }
    public func start(_ words: [String], seconds: Int = 600) throws(LabError) -> RunningCommand {
        try member.start(words, seconds: seconds)
    }

    /// Sends a signal to every process of the node that runs this program.
    ///
    /// - Returns: How many there were.
    @discardableResult
    public func signal(_ signal: Int32, processesNamed program: String) -> Int {
        member.processes(named: program).filter { kill($0, signal) == 0 }.count
    }

    /// Powers the node off, as if its plug were pulled: its network goes silent first, so that nobody hears a connection end.
    public func powerOff() async throws(LabError) {
        try await lab.networks.disconnect(.node(name))
        try await lab.groups.kill(.node(name))
        try await Keeper.forget(namespace: Member.node(name).namespace(prefix: lab.folder.prefix))
    }

    /// Boots it: `/etc/apus` and `/var/lib/apus` are as they were, `/run/apus` holds only the log, and `apusd` starts.
    public func powerOn() async throws(LabError) {
        let lock = try await LabLock.hold(prefix: lab.folder.prefix)
        guard !isRunning else { throw .refused("\(name) is running.") }
        // The limit and the parts of the networks may have been changed since this value was made.
        let record = try LabRecord.read(lab.folder)
        try await boot(limit: record.description.migrationLimit, splits: record.splits)
        _ = consume lock
    }

    func boot(limit: BitRate?, splits: [LabNetwork: [[NodeName]]] = [:]) async throws(LabError) {
        let run = lab.folder.run(name)
        do {
            for file in try FileManager.default.contentsOfDirectory(atPath: run) where file != "apusd.log" {
                try Files.remove(run + "/" + file)
            }
        } catch let error as LabError { throw error } catch { throw .file(path: run, reason: error.localizedDescription) }
        // Of a boot that failed half-way.
        try await lab.groups.kill(.node(name))
        try await keeper.start()
        try await NodeMounts.mount(keeper, in: lab.folder)
        try await lab.networks.disconnect(.node(name))
        let parts = splits.compactMapValues { parts in parts.firstIndex { $0.contains(name) } }
        try await lab.networks.connect(keeper, number: number, limit: limit, parts: parts)
        if lab.startsService { try await startService() }
    }

    /// Runs `apusd` again whenever it ends, as systemd does with `Restart=always`. What it started stays when it dies.
    private func startService() async throws(LabError) {
        let loop = """
            while :; do
              "$0" --config /etc/apus/node.yaml && code=0 || code=$?
              echo "lab: apusd ended with code $code, starting it again"
              sleep 0.5
            done
            """
        try await keeper.spawn(["sh", "-c", loop, lab.tools.apusd], log: "/run/apus/apusd.log")
    }

    /// Waits until `apusd` answers on its socket.
    public func waitForService(seconds: Int = 30) async throws(LabError) {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            if await ServiceProbe.answers(socket: apiSocket) { return }
            do { try await Task.sleep(for: .milliseconds(100)) } catch { throw .refused("Waiting for apusd was cancelled.") }
        }
        let last = (Files.text(serviceLog) ?? "").split(separator: "\n").suffix(3).map { "\n  " + $0 }.joined()
        let lines = last.isEmpty ? "It is empty." : "Last lines:\(last)"
        throw .timeout("apusd on \(name) does not answer after \(seconds) s. Its log is \(serviceLog). \(lines)")
    }

    /// Pulls the node's plug in one network.
    ///
    /// - Parameter isSilent: The node's interface still shows a link, as with a dead switch; otherwise it sees the loss.
    public func cut(_ network: LabNetwork, isSilent: Bool = false) async throws(LabError) {
        try await lab.networks.cut(.node(name), network, isSilent: isSilent)
    }
    /// Puts the plug back; returns when frames pass again.
    public func restore(_ network: LabNetwork) async throws(LabError) { try await lab.networks.restore(keeper, network) }
}
