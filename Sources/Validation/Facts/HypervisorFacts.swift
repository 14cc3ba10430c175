import ClusterModel

/// What the node's QEMU offers.
public struct HypervisorFacts: Hashable, Sendable, Codable {
    public var acceleration: Acceleration?
    /// Why this acceleration is used: a sentence.
    public var accelerationEvidence: String?
    /// Versioned machine types.
    public var machineTypes: [String] = []
    /// Named CPU models that this node can run with its acceleration.
    public var cpuModels: [String] = []
    /// For models that it cannot run: the features it lacks.
    public var missingFeatures: [String: [String]] = [:]
    /// Whether the kernel lets guests be hypervisors themselves; nil without KVM.
    public var allowsNesting: Bool?
    public var hasIOMMU: Bool?
    /// Whether interrupts are remapped, without which passing devices through is unsafe.
    public var hasInterruptRemapping: Bool?
    /// Whether QEMU may receive by post-copy (`vm.unprivileged_userfaultfd`).
    public var acceptsPostCopy: Bool?
    public var firmwareImages: [String] = []
    public init() {}
}
