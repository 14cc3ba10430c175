import ClusterModel

/// The tests of single commands, and of disks that change hands. Each node plays each part in turn.
extension ReservationScript {
    /// `storage/register`
    public static func register(_ parties: [ReservationParty]) -> Self {
        Self([
            parties.map { Line($0, .register, figure: "Register") },
            looks(parties, keys: parties, holder: nil),
        ])
    }

    /// `storage/reserve`
    public static func reserve(_ parties: [ReservationParty]) -> Self {
        var phases = [parties.map { Line($0, .register) }]
        for party in parties {
            phases.append([Line(party, .reserve, figure: "Reserve")])
            phases.append(looks(parties, keys: parties, holder: party))
            phases.append(others(party, parties).map { Line($0, .reserve, .refused(because: "\(party.name) holds it")) })
            phases.append([Line(party, .release)])
        }
        phases.append(looks(parties, keys: parties, holder: nil))
        return Self(phases)
    }

    /// `storage/conflict`
    public static func conflict(_ parties: [ReservationParty]) -> Self {
        var phases: [[Line]] = []
        for party in parties {
            let strangers = others(party, parties)
            phases.append([Line(party, .register)])
            phases.append([Line(party, .reserve)])
            phases.append(strangers.map { Line($0, .write, .refused(because: "it is not registered and \(party.name) holds the disk")) })
            phases.append(strangers.map { Line($0, .read) } + [Line(party, .write)])
            phases.append(strangers.map { Line($0, .register) })
            // Registrants only: whoever is registered writes, the holder or not.
            phases.append(strangers.map { Line($0, .write) })
            phases.append(strangers.map { Line($0, .unregister) })
            phases.append([Line(party, .unregister)])
        }
        phases.append(looks(parties, keys: [], holder: nil))
        return Self(phases)
    }

    /// `storage/preempt`
    public static func preempt(_ parties: [ReservationParty]) -> Self {
        changingHands(parties, figure: "Preempt") { .preempt(victim: $0.key) }
    }

    /// `storage/preempt-and-abort`
    public static func preemptAndAbort(_ parties: [ReservationParty]) -> Self {
        changingHands(parties, figure: "Fence") { .fence(victim: $0.key) }
    }

    /// `storage/clear`
    public static func clear(_ parties: [ReservationParty]) -> Self {
        var phases: [[Line]] = []
        for (index, party) in parties.enumerated() {
            phases.append(parties.map { Line($0, .register) })
            phases.append([Line(party, .reserve)])
            phases.append([Line(parties[(index + 1) % parties.count], .clear, figure: "Clear")])
            phases.append(looks(parties, keys: [], holder: nil))
            phases.append(parties.map { Line($0, .write) })
        }
        return Self(phases)
    }

    /// `storage/arbitration`: from a disk that nobody holds, and then each from the one before it.
    public static func arbitration(_ parties: [ReservationParty]) -> Self {
        var script = Self([parties.map { Line($0, .register) }])
        for party in parties {
            script.phases.append([Line(party, .reserve)])
            script.phases.append(looks(parties, keys: parties, holder: party))
            script.phases.append([Line(party, .release)])
        }
        script.phases += changingHands(parties, figure: "Takeover") { .fence(victim: $0.key) }.phases.dropFirst()
        return script
    }

    /// `storage/failover`, and with all disks at once `storage/simultaneous-failover`.
    public static func failover(_ parties: [ReservationParty]) -> Self {
        guard let first = parties.first else { return Self([]) }
        var phases = [parties.map { Line($0, .register) }, [Line(first, .reserve)]]
        for (index, owner) in parties.enumerated() {
            let taker = parties[(index + 1) % parties.count]
            let rest = others(owner, parties)
            phases.append([Line(owner, .write)])
            phases.append([Line(owner, .drop)])
            phases.append([Line(taker, .fence(victim: owner.key), figure: "Takeover")])
            phases.append([Line(taker, .write)] + looks(rest.filter { $0 != taker }, keys: rest, holder: taker))
            phases.append([Line(owner, .login)])
            phases.append([Line(owner, .write, .refused(because: "\(taker.name) has taken the disk over"))])
            phases.append([Line(owner, .register)])
        }
        return Self(phases)
    }

    /// Each takes the disk from the one before it; the first one in the end from the last.
    private static func changingHands(
        _ parties: [ReservationParty], figure: String, taking act: (ReservationParty) -> ReservationAct
    ) -> Self {
        guard let first = parties.first else { return Self([]) }
        var phases = [parties.map { Line($0, .register) }, [Line(first, .reserve)]]
        for (index, owner) in parties.enumerated() {
            let taker = parties[(index + 1) % parties.count]
            phases.append([Line(taker, act(owner), figure: figure)])
            phases.append([Line(owner, .write, .refused(because: "\(taker.name) has taken its registration away")), Line(taker, .write)])
            phases.append(looks(parties, keys: others(owner, parties), holder: taker))
            phases.append([Line(owner, .register)])
        }
        return Self(phases)
    }

    private static func looks(_ parties: [ReservationParty], keys: [ReservationParty], holder: ReservationParty?) -> [Line] {
        parties.map { Line($0, .look, .state(keys: Set(keys.map(\.key)), holder: holder?.key)) }
    }

    private static func others(_ party: ReservationParty, _ parties: [ReservationParty]) -> [ReservationParty] {
        parties.filter { $0 != party }
    }
}
