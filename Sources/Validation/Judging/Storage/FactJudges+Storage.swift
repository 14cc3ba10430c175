extension FactJudges {
    /// The rules of `storage/…`.
    static let storage: [ValidationTestID: FactJudge] = [
        StorageCatalogue.allDisks.id: DiskFactJudges.allDisks,
        StorageCatalogue.sharedDisks.id: DiskFactJudges.sharedDisks,
        StorageCatalogue.foreignContent.id: DiskFactJudges.foreignContent,
        StorageCatalogue.space.id: DiskFactJudges.space,
        StorageCatalogue.witnessSize.id: DiskFactJudges.witnessSize,
    ]
}
