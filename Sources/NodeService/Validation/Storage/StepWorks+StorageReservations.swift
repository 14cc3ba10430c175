import Validation

extension NodeProbes {
    /// What tests of reservations ask of a node.
    static let storageReservations: [NodeProbe] = []
}

extension StepWorks {
    /// How the steps of tests of reservations are carried out.
    static let storageReservations: [ValidationTestID: StepWork] = [:]
}
