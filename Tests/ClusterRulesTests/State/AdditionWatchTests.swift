import ClusterModel
import ClusterRules
import Testing

/// Goal: whenever the node that takes another one in dies, the newcomer is a member in the end or was never added.
@Suite("A node that was being added when the one that added it died")
struct AdditionWatchTests {
    private let one = StateFixture.id(1)
    private let two = StateFixture.id(2)
    private let three = StateFixture.id(3)

    private func state(isAdded: Bool = true, by driver: UInt16 = 2) throws -> ClusterState {
        var state = try StateFixture.cluster(nodes: 2)
        let operation = PendingOperation(
            id: StateFixture.uuid(9), kind: .addNode, subject: three, driver: StateFixture.id(driver), beganAt: WallTime(milliseconds: 1),
            step: "adding node3")
        _ = try apply(.beginOperation(operation: operation), at: StateFixture.place(2), to: &state)
        if isAdded { _ = try apply(.addNode(node: StateFixture.newNode(3)), at: StateFixture.place(3), to: &state) }
        return state
    }

    /// Carries out what is due, second after second.
    private func play(_ state: inout ClusterState, ring: [NodeID], seconds: Int) throws {
        var watch = AdditionWatch()
        for second in 0..<seconds {
            guard let command = watch.due(state, ring: ring, now: .seconds(second)) else { continue }
            _ = try apply(command, at: StateFixture.place(UInt64(10 + second)), to: &state)
        }
    }

    @Test("While its driver is there nothing is done, however long it takes")
    func underWay() throws {
        var state = try state()
        let before = state
        try play(&state, ring: [one, two], seconds: 300)
        #expect(state == before)
    }

    @Test("The driver is lost, or forgot it: who never came up is taken out, and its name is free again", arguments: [true, false])
    func takenOut(isLost: Bool) throws {
        var state = try state()
        if !isLost {
            _ = try apply(
                .advanceOperation(id: StateFixture.uuid(9), step: PendingOperation.abandoned), at: StateFixture.place(4), to: &state)
        }
        let ring = isLost ? [one] : [one, two]
        try play(&state, ring: ring, seconds: 15)
        #expect(state.nodes[three] != nil, "it may still come up")
        try play(&state, ring: ring, seconds: 60)
        #expect(state.nodes[three] == nil && state.operations.isEmpty)
        var again = StateFixture.newNode(4)
        again.name = StateFixture.newNode(3).name
        _ = try apply(.addNode(node: again), at: StateFixture.place(90), to: &state)
    }

    @Test("It came up: it is a member, also if it was lost since", arguments: [true, false])
    func member(isLostSince: Bool) throws {
        var state = try state()
        _ = try apply(.nodeUp(node: three), at: StateFixture.place(4), to: &state)
        if isLostSince { _ = try apply(.nodeDown(node: three, presence: .lost, reason: ""), at: StateFixture.place(5), to: &state) }
        try play(&state, ring: [one], seconds: 60)
        #expect(state.nodes[three] != nil && state.operations.isEmpty)
    }

    @Test("The driver died before it had added anything: the operation is closed, so that another can begin")
    func nothingAdded() throws {
        var state = try state(isAdded: false)
        try play(&state, ring: [one], seconds: 60)
        #expect(state.operations.isEmpty && state.nodes.count == 2)
    }

    @Test("A driver that is away for a moment has its whole time again")
    func returns() throws {
        let state = try state()
        var watch = AdditionWatch()
        for second in 0..<19 { #expect(watch.due(state, ring: [one], now: .seconds(second)) == nil) }
        #expect(watch.due(state, ring: [one, two], now: .seconds(19)) == nil)
        for second in 20..<39 { #expect(watch.due(state, ring: [one], now: .seconds(second)) == nil) }
    }
}
