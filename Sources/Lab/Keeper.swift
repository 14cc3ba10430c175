import ClusterModel
import Foundation

/// The process that holds a member's namespaces (network, mounts, host name), and the ways into them.
///
/// It sleeps. Namespaces live as long as something is in them, so a member ends with its control group and needs no cleaning up.
struct Keeper: Sendable {
    let prefix: String
    let member: Member
    let groups: ControlGroups

    /// Starts the keeper; returns when the namespaces are there. They have no interface but a loopback yet.
    func start() async throws(LabError) {
        try groups.make(member)
        // It joins its control group first: if that is gone, because the lab is being taken down, the process is gone too.
        // `setsid` cuts it off from the terminal and from the process that builds the lab.
        try await Command.check([
            "setsid", "--fork", "sh", "-c",
            """
            exec </dev/null >/dev/null 2>&1
            echo $$ >"$0" && cd / && exec unshare --net --mount --uts --propagation private sleep infinity
            """, groups.keeperEntry(member),
        ])
        for _ in 0..<1_000 {
            // `unshare` becomes `sleep` when it is done.
            if let process = groups.keeper(of: member), Files.text("/proc/\(process)/comm") == "sleep\n" {
                return try await named(process)
            }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { throw .refused("Starting \(member.name) was cancelled.") }
        }
        throw .timeout("The namespaces of \(member.name) did not come up in 5 s. Does this kernel allow network and mount namespaces?")
    }

    /// Gives the network namespace the name that `ip netns` shows. Only for people: the lab finds it by the keeper.
    ///
    /// Not with `ip netns attach`, which turns /run/netns into a mount that stays behind.
    private func named(_ process: pid_t) async throws(LabError) {
        let name = Self.namespaces + "/" + member.namespace(prefix: prefix)
        try Files.makeFolder(Self.namespaces)
        try Files.write(Data(), to: name)
        try await Command.check(["mount", "--bind", "/proc/\(process)/ns/net", name])
    }

    static let namespaces = "/run/netns"

    /// Takes a name away. The mount may be in another mount namespace than ours; removing the file detaches it there as well.
    static func forget(namespace: String) async throws(LabError) {
        let name = namespaces + "/" + namespace
        guard Files.exists(name) else { return }
        _ = try await Command.run(["umount", "--lazy", name])
        try Files.remove(name)
        Files.removeIfEmpty(namespaces)
    }

    func process() throws(LabError) -> pid_t {
        guard let process = groups.keeper(of: member) else {
            let start = if case .node(let name) = member { "apus lab power-on \(name)" } else { "apus lab up" }
            throw .refused("\(member.name) is not running in lab \(prefix). Start it with `\(start) --prefix \(prefix)`.")
        }
        return process
    }

    /// Words that run a program inside, as part of the member: it ends when the member does.
    func entering(_ words: [String]) throws(LabError) -> [String] {
        let join = #"echo $$ >"$0" || exit 125; target=$1; shift; exec nsenter --target "$target" --net --mount --uts --wd=/ -- "$@""#
        return ["sh", "-c", join, groups.systemEntry(member), String(try process())] + words
    }

    @discardableResult
    func check(_ words: [String], seconds: Int = 30) async throws(LabError) -> String {
        try await Command.check(try entering(words), shown: [member.name + ":"] + words, seconds: seconds)
    }

    /// Runs a shell script inside; it stops at the first failure.
    func script(_ text: String, _ arguments: [String] = []) async throws(LabError) {
        try await check(["sh", "-euc", text, "sh"] + arguments)
    }

    /// Leaves a program running inside, its output in a file as seen from inside.
    func spawn(_ words: [String], log: String) async throws(LabError) {
        let redirected = ["sh", "-c", #"exec >>"$0" 2>&1 </dev/null; exec "$@""#, log] + words
        try await Command.check(["setsid", "--fork"] + (try entering(redirected)))
    }
}
