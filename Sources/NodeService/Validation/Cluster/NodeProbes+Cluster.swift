import Validation

extension NodeProbes {
    /// What `cluster/…` tests ask of a node.
    static let cluster: [NodeProbe] = []
}

extension StepWorks {
    /// How the steps of `cluster/…` tests are carried out.
    static let cluster: [ValidationTestID: StepWork] = [:]
}
