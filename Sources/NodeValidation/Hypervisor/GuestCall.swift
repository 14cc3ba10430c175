import ClusterAPI
import ClusterModel
import Foundation
import NodeService
import Synchronization
import Validation

/// What the source of a test's guest asks of its destination: the part of ``PeerOperations`` that a migration needs, and no more.
///
/// It is a probe, not the operations themselves, because those speak of machines that the configuration knows.
struct GuestCall: ProbeQuestion {
    enum Call: Codable, Sendable {
        case prepare(offer: IncomingOffer)
        case openLinkTest
        case state(migration: UUID)
        case resume(migration: UUID)
        /// Waits for the guest's first sign of life.
        case firstSign(migration: UUID)
        case discard(migration: UUID)
    }
    struct Evidence: Codable, Sendable {
        var ready: IncomingReady?
        var link: LinkTestReady?
        var state: IncomingState?
        var resumeMilliseconds: Double?
        var sign: Sign?
    }
    /// The guest's first sign of life on its destination.
    struct Sign: Codable, Sendable {
        var sign: UInt8
        /// From the end of the order to resume it; below zero when it came before that was answered.
        var milliseconds: Double
        var hasBrokenMemory: Bool
    }
    static let name = "guest-call"
    var call: Call
    init(_ call: Call) { self.call = call }
}

/// The destination of a test's guest as the migration engine sees it.
struct GuestPeer: PeerOperations {
    private let target: ValidationTarget
    private let run: UUID
    private let patience: Duration
    private let watch: ResumeWatch

    init(_ target: ValidationTarget, run: UUID, patience: Duration) {
        self.init(target, run: run, patience: patience, watch: ResumeWatch())
    }
    private init(_ target: ValidationTarget, run: UUID, patience: Duration, watch: ResumeWatch) {
        self.target = target
        self.run = run
        self.patience = patience
        self.watch = watch
    }

    /// The same, for what need not be waited for long.
    var hasty: GuestPeer { GuestPeer(target, run: run, patience: .seconds(2), watch: watch) }
    /// When the destination answered that the guest runs there.
    var resumedAt: ContinuousClock.Instant? { watch.time.withLock { $0 } }
    private final class ResumeWatch: Sendable {
        let time = Mutex<ContinuousClock.Instant?>(nil)
    }
    func close() async { await target.close() }

    private func ask(_ call: GuestCall.Call) async throws(APIError) -> GuestCall.Evidence {
        do throws(ProbeFailure) { return try await target.ask(GuestCall(call), run: run, within: patience) } catch {
            throw APIError(.failed, error.reason, node: target.node)
        }
    }

    private func answer<Value>(_ value: Value?) throws(APIError) -> Value {
        guard let value else {
            throw APIError(.failed, "\(target.node) answers something else. Do all nodes run the same Apus version?", node: target.node)
        }
        return value
    }

    func prepareIncoming(_ offer: IncomingOffer) async throws(APIError) -> IncomingReady {
        try answer(try await ask(.prepare(offer: offer)).ready)
    }
    func openLinkTest() async throws(APIError) -> LinkTestReady { try answer(try await ask(.openLinkTest).link) }
    func incomingState(_ migration: UUID) async throws(APIError) -> IncomingState {
        try answer(try await ask(.state(migration: migration)).state)
    }
    func resumeIncoming(_ request: ResumeRequest) async throws(APIError) -> ResumeReply {
        let milliseconds = try answer(try await ask(.resume(migration: request.migration)).resumeMilliseconds)
        watch.time.withLock { $0 = .now }
        return ResumeReply(resumeMilliseconds: milliseconds)
    }
    func discardIncoming(_ migration: UUID, reason: String) async throws(APIError) { _ = try await ask(.discard(migration: migration)) }
    func firstSign(of migration: UUID) async throws(APIError) -> GuestCall.Sign? { try await ask(.firstSign(migration: migration)).sign }

    /// It has no adapter, so there are no frames.
    func deliverFrames(_ request: FrameDelivery) async throws(APIError) -> FrameReply { FrameReply(firstFrameMilliseconds: 0) }
    func ownMachines() async throws(APIError) -> [VMStatus] { [] }
    func ownMigrations() async throws(APIError) -> [MigrationStatus] { [] }

    // None of these belongs to the migration of a test's guest.
    func facts() async throws(APIError) -> NodeFacts { throw Self.notOffered }
    func allocate(_ request: AllocationRequest) async throws(APIError) -> VirtualMachine { throw Self.notOffered }
    func release(_ machine: VirtualMachine) async throws(APIError) { throw Self.notOffered }
    func recoverIncoming(_ migration: UUID) async throws(APIError) -> IncomingReady { throw Self.notOffered }
    private static var notOffered: APIError { APIError(.refused, "A test's guest has no disk and moves without post-copy.") }
}

/// Who may run a test's guest stands nowhere: no other node knows of it, and it has no disk that two could write to.
struct GuestOwnership: OwnershipLog {
    let source: NodeName
    func read(_ machine: VirtualMachine) async throws -> OwnershipRecord {
        OwnershipRecord(vmID: machine.definition.id, owner: source, epoch: 1)
    }
    func read(_ machine: VirtualMachine, orderedUnder epoch: UInt64) async throws -> OwnershipRecord { try await read(machine) }
    func handOver(_ machine: VirtualMachine, to successor: OwnershipRecord) async -> OwnershipWrite { .written }
    func outrank(_ current: OwnershipRecord, with record: OwnershipRecord, of machine: VirtualMachine) async throws -> OwnershipRecord {
        record
    }
    func resolve(_ machine: VirtualMachine) async throws -> OwnershipRecord { try await read(machine) }
    func add(_ machine: VirtualMachine, _ record: OwnershipRecord, requestedBy: String) async throws {}
    func remove(_ machine: VirtualMachine, _ record: OwnershipRecord, requestedBy: String) async throws {}
    func want(_ desired: DesiredState, of machine: VMName, requestedBy: String?) async throws {}
}
