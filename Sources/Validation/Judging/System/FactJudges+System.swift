extension FactJudges {
    /// The rules of `system/…`.
    static let system: [ValidationTestID: FactJudge] = [:]
}
