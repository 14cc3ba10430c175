import ArgumentParser
import ClusterAPI
import ClusterModel
import NodeClient

struct MigrateMachine: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Move a machine to another node.",
        discussion: """
            A live migration copies the memory while the machine runs and pauses it only for the rest; a quick migration pauses it \
            first and copies once. No network packet is lost either way. Whatever goes wrong before the last step, the machine goes \
            on running where it was.

            While the command waits, Ctrl-C cancels the migration, and a second Ctrl-C leaves it to itself. With --plan the exit \
            code is 1 when the migration would be refused or would not converge.

            EXAMPLES
              apus vm migrate web --to n2
              apus vm migrate web --to n2 --plan
              apus vm migrate web --to n2 --max-blackout 100ms --bandwidth 1Gbit
              apus vm migrate web --to n2 --quick
              apus vm migrate web --to n2 --detach     do not wait; see apus migration list
              apus vm migrate web --cancel
            """)
    @Argument(help: "The machine.", completion: Completions.machines, transform: parseVMName) var name: VMName
    @Option(
        name: .customLong("to"), help: ArgumentHelp("The node to move it to.", valueName: "node"), completion: Completions.nodes,
        transform: parseNodeName)
    var destination: NodeName?
    @Flag(help: "Quick migration: pause, copy once, resume.") var quick = false
    @Flag(help: "Only predict time and blackout; move nothing.") var plan = false
    @Option(
        help: ArgumentHelp("The longest pause of the guest to accept. (default: 300ms)", valueName: "time"),
        transform: Units.parseMilliseconds)
    var maxBlackout: Int?
    @Option(
        help: ArgumentHelp("Use at most this much of the link, for instance 1Gbit.", valueName: "rate"), transform: Units.parseBitsPerSecond
    )
    var bandwidth: UInt64?
    @Flag(help: "If copying cannot catch up, run on the destination before all memory is there. Losing a node then loses the memory.")
    var postCopy = false
    @Flag(help: "Do not slow the guest down when copying cannot catch up.") var noAutoConverge = false
    @Flag(help: "Cancel the migration of this machine.") var cancel = false
    @Flag(help: "Do not wait for the end.") var detach = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if cancel {
            guard destination == nil, !quick, !plan, !detach else { throw ValidationError("--cancel goes with no other option.") }
            return
        }
        if destination == nil { throw ValidationError("Say where to: apus vm migrate \(name) --to NODE") }
        if plan, detach { throw ValidationError("--plan moves nothing that could be detached from.") }
        if quick, postCopy || noAutoConverge || maxBlackout != nil {
            throw ValidationError(
                "A quick migration pauses the machine for the whole copy: the options of live migration do not go with --quick.")
        }
    }

    func run(asking client: NodeClient) async throws {
        guard !cancel, let destination else {
            let status = try await client.cancelMigration(of: name)
            return try show(status) { status.record?.message ?? "The migration of \(name) is being cancelled." }
        }
        var order = MigrationOrder(
            vm: name, destination: destination, kind: quick ? .quick : .live, bandwidthBitsPerSecond: bandwidth,
            autoConverge: !noAutoConverge, postCopy: postCopy)
        if let maxBlackout { order.maxBlackoutMilliseconds = maxBlackout }
        if plan { return try await showPlan(for: order, from: client) }
        let status = try await client.startMigration(order)
        if detach {
            return try show(status) { "\(name) is being moved to \(destination). See: apus migration list" }
        }
        try await follow(status, from: client)
    }

    private func showPlan(for order: MigrationOrder, from client: NodeClient) async throws {
        let plan = try await client.planMigration(order)
        try show(plan) { MigrationText.plan(plan) }
        guard plan.refusals.isEmpty, plan.willConverge else { throw CommandFailure() }
    }

    private func follow(_ status: MigrationStatus, from client: NodeClient) async throws {
        let ended = try await MigrationFollower(client: client, vm: name, display: display).follow(status)
        guard let record = ended.record else { throw CommandFailure(message: "The migration of \(name) ended without a result.") }
        try show(ended) { MigrationText.result(record) }
        guard record.outcome == .completed else { throw CommandFailure(message: record.message) }
    }

    private var display: any ProgressDisplay {
        if connection.json { return SilentProgress() }
        return Console.isWatched ? ProgressBar() : ProgressLines()
    }
}
