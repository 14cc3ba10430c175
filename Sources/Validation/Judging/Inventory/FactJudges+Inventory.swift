extension FactJudges {
    /// The rules of `inventory/…`.
    static let inventory: [ValidationTestID: FactJudge] = [
        InventoryCatalogue.firmware.id: HardwareJudges.firmware,
        InventoryCatalogue.processors.id: HardwareJudges.processors,
        InventoryCatalogue.memory.id: HardwareJudges.memory,
        InventoryCatalogue.numa.id: HardwareJudges.numa,
        InventoryCatalogue.pciDevices.id: HardwareJudges.pciDevices,
        InventoryCatalogue.kernel.id: SoftwareJudges.kernel,
        InventoryCatalogue.distribution.id: SoftwareJudges.distribution,
        InventoryCatalogue.packages.id: SoftwareJudges.packages,
        InventoryCatalogue.services.id: SoftwareJudges.services,
        InventoryCatalogue.adapters.id: DeviceJudges.adapters,
        InventoryCatalogue.hostBusAdapters.id: DeviceJudges.hostBusAdapters,
        InventoryCatalogue.iscsiInitiators.id: DeviceJudges.iscsiInitiators,
        InventoryCatalogue.disks.id: DeviceJudges.disks,
        InventoryCatalogue.environment.id: SoftwareJudges.environment,
        InventoryCatalogue.timeSource.id: SoftwareJudges.timeSource,
        InventoryCatalogue.pendingReboot.id: SoftwareJudges.pendingReboot,
    ]
}
