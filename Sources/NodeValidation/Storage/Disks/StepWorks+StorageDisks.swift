import ClusterModel
import Foundation
import Validation

extension NodeProbes {
    /// What tests of disks and file shares ask of a node.
    static let storageDisks: [NodeProbe] = [
        NodeProbe(ScratchQuestion.self) { question, context in try await ScratchLease.borrow(question, context) },
        NodeProbe(ScratchReturnQuestion.self) { question, context in try await ScratchLease.giveBack(question, context) },
        NodeProbe(DiskNamesQuestion.self) { _, context in try await DiskProbes.names(context) },
        NodeProbe(DiskLatencyQuestion.self) { question, context in try await DiskProbes.latency(question, context) },
        NodeProbe(DiskThroughputQuestion.self) { question, context in try await DiskProbes.throughput(question, context) },
        NodeProbe(DiskStampQuestion.self) { question, context in try await DiskProbes.stamp(question, context) },
        NodeProbe(DiskLookQuestion.self) { question, context in try await DiskProbes.look(question, context) },
        NodeProbe(DiskRewriteQuestion.self) { question, context in try await DiskProbes.rewrite(question, context) },
        NodeProbe(DiskWatchQuestion.self) { question, context in try await DiskProbes.watch(question, context) },
        NodeProbe(DiskFlushQuestion.self) { question, context in try await DiskFlushProbe.flush(question, context) },
        NodeProbe(ShareWriteQuestion.self) { question, context in try await ShareProbes.write(question, context) },
        NodeProbe(ShareReadQuestion.self) { question, context in try await ShareProbes.read(question, context) },
        NodeProbe(ShareLockQuestion.self) { question, context in try await ShareProbes.lock(question, context) },
        NodeProbe(ShareUnlockQuestion.self) { question, context in try await ShareProbes.unlock(question, context) },
        NodeProbe(ShareReplaceQuestion.self) { question, context in try await ShareProbes.replace(question, context) },
        NodeProbe(ShareWatchQuestion.self) { question, context in try await ShareProbes.watch(question, context) },
    ]
}

extension StepWorks {
    /// How the steps of tests of disks and file shares are carried out.
    static let storageDisks: [ValidationTestID: StepWork] = [
        StorageCatalogue.identity.id: { _, context in try await DiskWork(context).identity() },
        StorageCatalogue.latency.id: { step, context in try await DiskWork(context).latency(step.disk()) },
        StorageCatalogue.throughput.id: { step, context in try await DiskWork(context).throughput(step.disk()) },
        StorageCatalogue.coherence.id: { step, context in try await DiskWork(context).coherence(step.disk()) },
        StorageCatalogue.flush.id: { step, context in try await DiskWork(context).flush(step.disk()) },
        StorageCatalogue.atomicity.id: { step, context in try await DiskWork(context).atomicity(step.disk()) },
        StorageCatalogue.shareVisibility.id: { step, context in try await ShareWork(step, context).visibility() },
        StorageCatalogue.shareLocks.id: { step, context in try await ShareWork(step, context).locks() },
        StorageCatalogue.shareSync.id: { step, context in try await ShareWork(step, context).sync() },
        StorageCatalogue.shareRename.id: { step, context in try await ShareWork(step, context).rename() },
    ]
}

extension ValidationStep {
    /// The disk of a step of a test with scope `eachDisk`.
    func disk() throws -> DiskID {
        guard case .disk(let disk) = target else { throw ProbeProblem("This step is about no disk.") }
        return disk
    }
}

extension StepContext {
    /// Those that answered when they were asked what they are made of; the others have their findings.
    var answering: [NodeName] { subject.nodes.filter { facts.silent[$0] == nil } }

    /// Has the scratch area of a disk borrowed for as long as the body takes. Every node may write there meanwhile.
    func withScratch<Value>(on disk: DiskID, _ body: (ScratchArea) async throws -> Value) async throws -> Value {
        guard let keeper = answering.first else { throw ProbeProblem("No node answers.") }
        let lease = try await ask(ScratchQuestion(disk: disk), of: keeper)
        let value: Value
        do { value = try await body(lease.area) } catch {
            // When this fails too, or the step was cancelled, the node puts it back at the end of the run.
            _ = try? await ask(ScratchReturnQuestion(lease: lease.lease, disk: disk), of: keeper)
            throw error
        }
        _ = try await ask(ScratchReturnQuestion(lease: lease.lease, disk: disk), of: keeper)
        return value
    }
}
