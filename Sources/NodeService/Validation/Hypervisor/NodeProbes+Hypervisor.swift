import Validation

extension NodeProbes {
    /// What `hypervisor/…` tests ask of a node.
    static let hypervisor: [NodeProbe] = []
}

extension StepWorks {
    /// How the steps of `hypervisor/…` tests are carried out.
    static let hypervisor: [ValidationTestID: StepWork] = [:]
}
