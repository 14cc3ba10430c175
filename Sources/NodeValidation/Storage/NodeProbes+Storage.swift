import Validation

// Disks as such, and what reservations make of them, are two subjects; here they become one category.
extension NodeProbes {
    /// What `storage/…` tests ask of a node.
    static let storage: [NodeProbe] = storageDisks + storageReservations
}

extension StepWorks {
    /// How the steps of `storage/…` tests are carried out.
    static let storage: [ValidationTestID: StepWork] = storageDisks.merging(storageReservations) { first, _ in first }
}
