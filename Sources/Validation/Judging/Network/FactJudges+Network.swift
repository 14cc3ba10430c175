extension FactJudges {
    /// The rules of `network/…`.
    static let network: [ValidationTestID: FactJudge] = [:]
}
