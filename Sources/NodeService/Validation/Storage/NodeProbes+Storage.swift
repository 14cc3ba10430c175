import Validation

extension NodeProbes {
    /// What `storage/…` tests ask of a node.
    static let storage: [NodeProbe] = []
}

extension StepWorks {
    /// How the steps of `storage/…` tests are carried out.
    static let storage: [ValidationTestID: StepWork] = [:]
}
