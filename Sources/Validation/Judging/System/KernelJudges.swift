import ClusterModel

/// Settings of the kernel.
enum KernelJudges {
    /// One connection per session, per guest disk and per guest of a large node, and some more.
    private static let enoughFiles: UInt64 = 8_192
    /// What Linux grants since 5.16 and systemd since 248. Corosync, as root, may lock more whatever the limit is (mlock(2), CAP_IPC_LOCK);
    /// QEMU runs without privileges and needs it for the rings of io_uring and for registered buffers.
    private static let enoughLocked: UInt64 = 8 << 20

    static func limits(_ facts: CollectedFacts) -> TestOutcome {
        let findings = facts.answers.flatMap { node -> [ValidationFinding] in
            let limits = node.system.limits
            guard limits.wereRead else { return [node.unknown("limits")] }
            var findings: [ValidationFinding] = []
            if let files = limits.openFiles, files < enoughFiles {
                findings.append(
                    ValidationFinding(
                        files < 1_024 ? .failure : .warning, .node(node.node, item: "open files"),
                        reason: "The node service of \(node.node) may open \(files) files; a node with many machines needs \(enoughFiles).",
                        cure: "LimitNOFILE=65536 in the unit: systemctl edit apusd, then restart it."))
            }
            if let locked = limits.lockedMemoryBytes, locked < enoughLocked {
                findings.append(
                    ValidationFinding(
                        locked < 64 << 10 ? .failure : .warning, .node(node.node, item: "locked memory"),
                        reason:
                            "Machines on \(node.node) may lock \(ByteText.text(locked)) of memory, \(ByteText.text(enoughLocked)) are wanted: "
                            + "QEMU locks the rings and buffers of its disks and of fast migrations.",
                        cure: "LimitMEMLOCK=infinity in the unit: systemctl edit apusd, then restart it."))
            }
            if limits.canScheduleRealTime == false {
                findings.append(
                    ValidationFinding(
                        .warning, .node(node.node, item: "real-time scheduling"),
                        reason:
                            "\(node.node) refuses real-time scheduling: under load Corosync may come too late and the node be taken for lost.",
                        cure: "Give its control group a real-time budget (cpu.rt_runtime_us), or sysctl kernel.sched_rt_runtime_us=-1."))
            }
            if findings.isEmpty {
                findings.append(
                    ValidationFinding(.pass, .node(node.node), reason: "Locked memory, open files and real-time scheduling suffice."))
            }
            return findings
        }
        return .judged(findings) { "limits of \($0) are too low" }
    }

    static func memoryPolicy(_ facts: CollectedFacts) -> TestOutcome {
        var findings: [ValidationFinding] = facts.eachNode { node in
            guard let policy = node.system.sysctl["vm.overcommit_memory"] else { return node.unknown("overcommit policy") }
            return policy == "2"
                ? ValidationFinding(
                    .warning, .node(node.node),
                    reason:
                        "\(node.node) never overcommits memory (vm.overcommit_memory = 2): a machine may be refused although memory is free.",
                    cure: "sysctl vm.overcommit_memory=0 on \(node.node), and write it to /etc/sysctl.d/.")
                : ValidationFinding(.pass, .node(node.node), reason: "vm.overcommit_memory is \(policy).")
        }
        findings += facts.compare("vm.swappiness", item: "vm.swappiness") { $0.system.sysctl["vm.swappiness"] }
        findings += facts.compare("swap", item: "swap") { node in
            node.hardware.memory.swapTotalBytes.map { $0 == 0 ? "switched off" : "switched on" }
        }
        return TestOutcome(findings)
    }

    static func watchdog(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(
            facts.eachNode { node in
                guard let watchdog = node.system.watchdogs.first else {
                    return ValidationFinding(
                        .warning, .node(node.node),
                        reason: "\(node.node) has no watchdog: if its kernel hangs, it hangs until somebody comes.")
                }
                let name = watchdog.identity ?? watchdog.path
                guard watchdog.usedBy != nil else {
                    return ValidationFinding(
                        .warning, .node(node.node), reason: "\(name) of \(node.node) is there, but nobody feeds it.",
                        cure: "RuntimeWatchdogSec=10 in /etc/systemd/system.conf of \(node.node), then systemctl daemon-reexec.")
                }
                let kind = watchdog.isSoftware == true ? " (software: it does not help when the kernel itself hangs)" : ""
                return ValidationFinding(.pass, .node(node.node), reason: "\(name)\(kind), fed by \(watchdog.usedBy ?? "somebody").")
            })
    }

    static func entropy(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(
            facts.eachNode { node in
                guard let bits = node.system.entropyBits else { return node.unknown("randomness") }
                // random(4): 256 once the generator is seeded; older kernels count up to 4096.
                return bits >= 256
                    ? ValidationFinding(.pass, .node(node.node), reason: "The generator is seeded.")
                    : ValidationFinding(.warning, .node(node.node), reason: "\(node.node) has \(bits) bits of randomness, 256 are wanted.")
            })
    }

    static func crashDumps(_ facts: CollectedFacts) -> TestOutcome {
        TestOutcome(
            facts.answers.flatMap { node -> [ValidationFinding] in
                let dump = node.system.crashDump
                var findings: [ValidationFinding] = []
                if dump.isKernelLoaded != true {
                    findings.append(
                        ValidationFinding(
                            .warning, .node(node.node, item: "kdump"), reason: "A crash of the kernel of \(node.node) would leave no dump.",
                            cure:
                                "apt-get install kdump-tools on \(node.node), and reserve memory with crashkernel=256M on the kernel's command line."
                        ))
                }
                if dump.panicTimeoutSeconds == 0 {
                    findings.append(
                        ValidationFinding(
                            .warning, .node(node.node, item: "kernel.panic"),
                            reason: "After a crash \(node.node) would wait for somebody instead of restarting (kernel.panic = 0).",
                            cure: "sysctl kernel.panic=10 on \(node.node), and write it to /etc/sysctl.d/."))
                } else if dump.panicTimeoutSeconds == nil {
                    findings.append(node.unknown("kernel.panic"))
                }
                return findings.isEmpty
                    ? [ValidationFinding(.pass, .node(node.node), reason: "A crash leaves a dump, and the node restarts.")] : findings
            })
    }
}
