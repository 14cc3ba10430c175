extension FactJudges {
    /// The rules of `hypervisor/…`.
    static let hypervisor: [ValidationTestID: FactJudge] = [:]
}
