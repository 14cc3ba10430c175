import ClusterModel

/// Migrations in words.
enum MigrationText {
    static func plan(_ plan: MigrationPlan) -> String {
        let move = "\(plan.order.vm) from \(plan.source) to \(plan.order.destination), \(plan.order.kind.rawValue) migration"
        let refusals = plan.refusals.map { "  - \($0)" }
        // Refused before anything was measured: a table of zeros would only look like an answer.
        if plan.memoryBytes == 0, !refusals.isEmpty {
            return ([Table.list([("Move", move)]), "It would be refused:"] + refusals).joined(separator: "\n")
        }
        let head = Table.list([
            ("Move", move),
            ("Memory to send", Units.bytes(plan.memoryBytes)),
            ("Guest changes", Units.rate(plan.dirtyBytesPerSecond)),
            ("Link carries", Units.rate(plan.linkBytesPerSecond)),
            ("Total", plan.predictedTotalMilliseconds.map { "about \(Units.milliseconds($0))" }),
            ("Blackout", plan.predictedBlackoutMilliseconds.map { "about \(Units.milliseconds($0))" }),
            ("Passes", plan.predictedPasses.map(String.init)),
            ("Converges", plan.willConverge ? "yes" : "no"),
        ])
        let refused = refusals.isEmpty ? [] : ["It would be refused:"] + refusals
        return ([head, plan.summary] + refused).filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// What it cost. Why it failed, if it did, is for standard error.
    static func result(_ record: MigrationRecord) -> String {
        let kind = record.order.kind == .live ? "Live migration" : "Quick migration"
        let outcome =
            switch record.outcome {
            case .completed: "completed"
            case .failed: "failed"
            case .cancelled: "was cancelled"
            case .lost: "lost the machine's memory"
            }
        // QEMU counts its looks at the dirty bits. In a quick migration the guest is paused, so whatever it counts, memory is sent once.
        let passes = record.passes == 1 || record.order.kind == .quick ? "1 pass" : "\(record.passes) passes"
        return "\(kind) of \(record.order.vm) from \(record.source) to \(record.order.destination) \(outcome).\n"
            + Table.list([
                ("  Total", Units.milliseconds(record.totalMilliseconds)),
                ("  Blackout", record.blackoutMilliseconds.map(Units.milliseconds)),
                ("  Visible gap", record.visibleGapMilliseconds.map(Units.milliseconds)),
                ("  Sent", record.transferredBytes > 0 ? "\(Units.bytes(record.transferredBytes)) in \(passes)" : nil),
                ("  Frames forwarded", record.outcome == .completed ? String(record.forwardedFrames) : nil),
                ("  Owner", record.owner.map { "\($0)\(record.isRunning ? ", running" : ", not running")" } ?? "unknown"),
            ]) + (record.outcome == .completed && !record.message.isEmpty ? "\n\(record.message)" : "")
    }

    /// The part of the way, from 0 to 1, that the current pass has gone; nil while nothing is copied.
    static func fraction(_ progress: MigrationProgress) -> Double? {
        guard progress.phase == .transferring || progress.phase == .postCopy, progress.totalBytes > 0 else { return nil }
        return 1 - min(1, Double(progress.remainingBytes) / Double(progress.totalBytes))
    }

    /// `pass 2, 318 MiB left at 112 MiB/s, guest changes 20 MiB/s, blackout about 120 ms`.
    static func line(_ progress: MigrationProgress) -> String {
        switch progress.phase {
        case .queued: return "waiting for other migrations"
        case .preparing: return "preparing the destination"
        case .transferring, .postCopy:
            var parts = [progress.phase == .postCopy ? "runs on the destination" : "pass \(max(1, progress.pass))"]
            parts.append("\(Units.bytes(progress.remainingBytes)) left at \(Units.rate(progress.bytesPerSecond))")
            if progress.dirtyBytesPerSecond > 0 { parts.append("guest changes \(Units.rate(progress.dirtyBytesPerSecond))") }
            if let blackout = progress.predictedBlackoutMilliseconds {
                parts.append("blackout about \(Units.milliseconds(blackout))")
            }
            if progress.throttlePercent > 0 { parts.append("guest slowed by \(progress.throttlePercent) %") }
            return parts.joined(separator: ", ")
        case .preSwitchover: return "guest paused, switching over"
        case .deviceState: return "sending the state of the devices"
        case .committing: return "handing over ownership"
        case .resuming: return "resuming on the destination"
        case .completed, .failed, .cancelled: return progress.phase.rawValue
        }
    }
}
