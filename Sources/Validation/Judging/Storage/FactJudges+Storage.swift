extension FactJudges {
    /// The rules of `storage/…`.
    static let storage: [ValidationTestID: FactJudge] = [:]
}
