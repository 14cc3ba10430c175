import ClusterModel

/// What guests that were started and moved for a test showed.
public enum GuestJudges {
    /// Whether a guest ran with the node's acceleration.
    public static func acceleration(_ node: NodeName, _ evidence: GuestTrialQuestion.Evidence) -> TestOutcome {
        let name = evidence.acceleration == .kvm ? "KVM" : "TCG"
        guard evidence.succeeded else {
            let cure =
                evidence.acceleration == .kvm
                ? "Enable virtualization in the firmware of \(node), load kvm_intel or kvm_amd, and restart the node service, which then "
                    + "chooses anew: systemctl restart apusd."
                : "Install the Debian package qemu-system-x86 on \(node) anew, and look at what the kernel says: dmesg."
            return TestOutcome(
                [
                    ValidationFinding(
                        .failure, .node(node), reason: "A guest did not run on \(node) with \(name): \(clause(evidence.reason)).",
                        cure: cure)
                ], headline: "guests do not start on \(node)")
        }
        // Whether emulation is good enough is for hypervisor/emulation to say.
        return TestOutcome([
            ValidationFinding(
                .pass, .node(node), reason: "A guest ran with \(name) and its result was right. \(evidence.choice)",
                figures: [Figure("Time", evidence.milliseconds, .milliseconds), Figure("Acceleration", name)])
        ])
    }

    /// The machine that every two nodes of a pair can build.
    public struct CommonMachine: Hashable, Sendable {
        public var machineType: String
        public var cpuModel: String
    }

    /// The newest machine type and the best processor model that both nodes know.
    ///
    /// - Returns: nil when there is none; the tests of machine types and processor models say so.
    public static func commonMachine(_ one: NodeInventory, _ other: NodeInventory) -> CommonMachine? {
        let types = one.hypervisor.machineTypes.filter(other.hypervisor.machineTypes.contains)
        let models = Set(one.hypervisor.cpuModels).intersection(other.hypervisor.cpuModels)
        guard let type = types.last(where: { $0.hasPrefix("pc-q35-") }) ?? types.last,
            let model = HypervisorJudges.best(models) ?? models.min()
        else { return nil }
        return CommonMachine(machineType: type, cpuModel: model)
    }

    /// Both nodes have nothing in common that a guest could move as.
    public static func nothingInCommon(_ one: NodeName, _ other: NodeName, _ kind: MigrationKind) -> TestOutcome {
        TestOutcome(
            [
                ValidationFinding(
                    .failure, .pair(one, other),
                    reason: "\(one) and \(other) have no machine type and processor model in common, so no guest can move between them.",
                    cure: "Bring QEMU to the same version on both; see hypervisor/machine-types and hypervisor/processor-baseline.")
            ], headline: "no guest can move between \(one) and \(other)")
    }

    /// Pre-flight refused the move before anything was started.
    public static func refused(_ from: NodeName, _ to: NodeName, reasons: [String]) -> TestOutcome {
        TestOutcome(
            [ValidationFinding(.failure, .pair(from, to), reason: reasons.joined(separator: " "))],
            headline: "no guest can move from \(from) to \(to)")
    }

    /// The guest to be moved did not come up.
    public static func didNotStart(_ node: NodeName, towards peer: NodeName, reason: String) -> TestOutcome {
        TestOutcome(
            [
                ValidationFinding(
                    .failure, .pair(node, peer), reason: "The guest that was to move did not start on \(node). \(reason)",
                    cure: "See hypervisor/acceleration, and what the node service of \(node) says: journalctl -u apusd.")
            ], headline: "guests do not start on \(node)")
    }

    /// Longer than this somebody who works in the guest notices, and connections to it stall.
    private static let noticedGap = 1_000.0
    /// Numbers that may be missing between the two nodes: what the serial port held when the guest stopped.
    private static let mostAhead = 8

    /// One move in one direction.
    public static func move(
        _ kind: MigrationKind, from: NodeName, to: NodeName, _ evidence: GuestMoveEvidence
    ) -> TestOutcome {
        let subject = FindingSubject.pair(from, to)
        let way = kind == .live ? "live" : "by quick migration"
        func failed(_ reason: String, cure: String? = nil) -> TestOutcome {
            TestOutcome(
                [ValidationFinding(.failure, subject, reason: reason, cure: cure, figures: figures(evidence))],
                headline: "a guest does not move \(way) from \(from) to \(to)")
        }
        guard evidence.outcome == .completed else {
            return failed(
                "A guest did not move \(way) from \(from) to \(to). \(evidence.message)",
                cure:
                    "Check that the migration network lets TCP through from \(from) to \(to), and that both run the same QEMU; then look at "
                    + "journalctl -u apusd on both.")
        }
        let brokenCure =
            "Do not move machines between \(from) and \(to). Bring kernel and QEMU to the same version on both, and test memory."
        if evidence.hasBrokenMemory {
            return failed("A guest that moved from \(from) to \(to) found memory there that it had not written.", cure: brokenCure)
        }
        guard let ahead = evidence.signsAhead else {
            return failed("A guest moved from \(from) to \(to) and gave no sign of life there.", cure: brokenCure)
        }
        guard (0...mostAhead).contains(ahead) else {
            return failed(
                "A guest that moved from \(from) to \(to) did not go on there where it had stopped: it was at \(evidence.lastSign ?? 0) and "
                    + "went on with \(evidence.firstSign ?? 0).", cure: brokenCure)
        }
        let gap = evidence.gapMilliseconds ?? evidence.blackoutMilliseconds ?? 0
        let sentence =
            "Moved \(way) in \(time(evidence.totalMilliseconds)); paused for \(time(evidence.blackoutMilliseconds ?? 0)), silent for \(time(gap))."
        guard gap > noticedGap else {
            return TestOutcome([ValidationFinding(.pass, subject, reason: sentence, figures: figures(evidence))])
        }
        return TestOutcome([
            ValidationFinding(
                .warning, subject, reason: "A guest moved from \(from) to \(to), but people would notice. \(sentence)",
                cure: "See network/latency and network/throughput of the migration network, and what else keeps both nodes busy.",
                figures: figures(evidence))
        ])
    }

    private static func figures(_ evidence: GuestMoveEvidence) -> [Figure] {
        [
            evidence.gapMilliseconds.map { Figure("Gap", $0, .milliseconds) },
            evidence.blackoutMilliseconds.map { Figure("Blackout", $0, .milliseconds) },
            Figure("Total", evidence.totalMilliseconds, .milliseconds),
            Figure("Memory sent", Double(evidence.transferredBytes), .bytes),
        ].compactMap { $0 }
    }

    private static func time(_ milliseconds: Double) -> String {
        let rounded = milliseconds.isFinite ? max(0, min(milliseconds, 1e9)) : 0
        return rounded >= 1_000 ? "\((rounded / 100).rounded() / 10) s" : "\(Int(rounded.rounded())) ms"
    }

    /// Without the full stop that some programs end with.
    private static func clause(_ text: String) -> String { text.hasSuffix(".") ? String(text.dropLast()) : text }
}
