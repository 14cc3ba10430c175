import Validation

extension NodeProbes {
    /// What tests of disks and file shares ask of a node.
    static let storageDisks: [NodeProbe] = []
}

extension StepWorks {
    /// How the steps of tests of disks and file shares are carried out.
    static let storageDisks: [ValidationTestID: StepWork] = [:]
}
