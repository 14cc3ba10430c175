import ClusterModel

/// A part of a test that is carried out at one time, with a deadline of its own.
public struct ValidationStep: Hashable, Sendable {
    public enum Target: Hashable, Sendable {
        /// All nodes, and all disks that the test may use.
        case whole
        case node(NodeName)
        /// Both directions.
        case pair(NodeName, NodeName)
        case disk(DiskID)
        case share(String)
    }
    public var test: ValidationTestID
    public var target: Target
    public init(_ test: ValidationTestID, _ target: Target) {
        self.test = test
        self.target = target
    }
}

/// Something that steps share or take for themselves.
public enum ValidationResource: Hashable, Sendable {
    /// A node's way to the other nodes.
    case network(NodeName)
    /// Its processors and memory.
    case processor(NodeName)
    /// Its sessions to the storage.
    case sessions(NodeName)
    case disk(DiskID)
    case share(String)
}

/// How a step uses a resource.
public enum ResourceUse: Hashable, Sendable {
    case shared, exclusive
    func allows(_ other: ResourceUse) -> Bool { self == .shared && other == .shared }
}

extension ValidationStep {
    /// What the step needs while it runs, from how its test disturbs.
    public func uses(of test: ValidationTest, in subject: ValidationSubject) -> [ValidationResource: ResourceUse] {
        let nodes = nodes(in: subject)
        let disks = disks(in: subject)
        var uses: [ValidationResource: ResourceUse] = [:]
        func take(_ resources: [ValidationResource], _ use: ResourceUse) { for resource in resources { uses[resource] = use } }
        switch test.disturbance {
        case .none:
            // A reader must not run while what it reads is being broken on purpose.
            switch test.category {
            case .network: take(nodes.map { .network($0) }, .shared)
            case .storage: take(disks.map { .disk($0) } + nodes.map { .sessions($0) }, .shared)
            case .inventory, .system, .hypervisor, .cluster: break
            }
        case .networkLoad:
            take(nodes.map { .network($0) }, .exclusive)
        case .diskLoad, .scratch:
            take(nodes.map { .sessions($0) }, .shared)
            take(disks.map { .disk($0) }, .exclusive)
        case .sessionLoss:
            // A session carries all disks of a target, so no other disk may be under test either.
            take(subject.nodes.map { .sessions($0) }, .exclusive)
            take(disks.map { .disk($0) }, .exclusive)
        case .guest:
            // Its memory stream is measured, and nothing may starve its vCPU.
            take(nodes.map { .processor($0) } + nodes.map { .network($0) }, .exclusive)
        }
        if case .share(let path) = target { uses[.share(path)] = .exclusive }
        return uses
    }

    /// The nodes that take part.
    public func nodes(in subject: ValidationSubject) -> [NodeName] {
        switch target {
        case .whole, .disk, .share: subject.nodes
        case .node(let node): [node]
        case .pair(let one, let other): [one, other]
        }
    }

    private func disks(in subject: ValidationSubject) -> [DiskID] {
        switch target {
        case .whole: subject.testableDisks
        case .disk(let disk): [disk]
        case .node, .pair, .share: []
        }
    }
}
