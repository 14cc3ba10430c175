extension FactJudges {
    /// The rules of `inventory/…`.
    static let inventory: [ValidationTestID: FactJudge] = [:]
}
