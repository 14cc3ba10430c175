extension Bench {
    /// Moves the same guest with Apus and with virsh in turn, so that whatever else the machine does meets both.
    ///
    /// - Parameter allowances: Options of `apus vm migrate` that let a guest through which the defaults would leave where it is.
    func liveMigration(
        _ benchmark: Benchmark, _ guest: GuestShape, ratio: Double, allowances: [String] = []
    ) async throws -> [Row] {
        guard let virsh else { throw BenchError("\(benchmark.rawValue) needs libvirt.") }
        var apus = apus
        apus.allowances = allowances
        var (ours, theirs): ([Trial], [Trial]) = ([], [])
        for run in 1...runs {
            let mine = try await apus.trial(of: guest)
            ours.append(mine)
            progress("\(benchmark.rawValue) \(run)/\(runs)  \(apus.name): \(words(mine))")
            let peer = try await virsh.trial(of: guest)
            theirs.append(peer)
            progress("\(benchmark.rawValue) \(run)/\(runs)  \(virsh.name): \(words(peer))")
        }
        let name = benchmark.rawValue
        let beyond = try ours.map { trial in
            guard let blackout = trial.move.blackoutMilliseconds else { throw BenchError("\(name): apus did not tell the blackout.") }
            return trial.gapMilliseconds - blackout
        }
        return [
            try Row(
                name, unit: "s", ours: ours.map(\.move.seconds), peer: virsh.name, peers: theirs.map(\.move.seconds),
                goal: .ratioAtMost(ratio)),
            try Row(
                name + "-gap", unit: "ms", ours: ours.map(\.gapMilliseconds), peer: virsh.name, peers: theirs.map(\.gapMilliseconds),
                goal: .ratioAtMost(0.6)),
            try Row(
                name + "-gap-beyond-blackout", unit: "ms", ours: beyond, peer: "limit", peers: [60], goal: .medianAtMost(60)),
            try Row(
                name + "-lost", unit: "datagrams", ours: ours.map(\.lostDatagrams), peer: virsh.name, peers: theirs.map(\.lostDatagrams),
                goal: .everyRunZero),
        ]
    }

    private func words(_ trial: Trial) -> String {
        let blackout = trial.move.blackoutMilliseconds.map { ", blackout \(shortNumber($0)) ms" } ?? ""
        let (gap, lost) = (shortNumber(trial.gapMilliseconds), shortNumber(trial.lostDatagrams))
        return "\(shortNumber(trial.move.seconds)) s, gap \(gap) ms\(blackout), \(lost) datagrams lost"
    }
}
