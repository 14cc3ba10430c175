extension FactJudges {
    /// The rules of `hypervisor/…`.
    static let hypervisor: [ValidationTestID: FactJudge] = [
        HypervisorCatalogue.emulation.id: HypervisorJudges.emulation,
        HypervisorCatalogue.machineTypes.id: HypervisorJudges.machineTypes,
        HypervisorCatalogue.processorBaseline.id: HypervisorJudges.processorBaseline,
        HypervisorCatalogue.hugepages.id: HypervisorJudges.hugepages,
        HypervisorCatalogue.passthrough.id: HypervisorJudges.passthrough,
    ]
}
