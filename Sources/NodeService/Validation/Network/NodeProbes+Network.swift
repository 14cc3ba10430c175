import Validation

extension NodeProbes {
    /// What `network/…` tests ask of a node.
    static let network: [NodeProbe] = []
}

extension StepWorks {
    /// How the steps of `network/…` tests are carried out.
    static let network: [ValidationTestID: StepWork] = [:]
}
