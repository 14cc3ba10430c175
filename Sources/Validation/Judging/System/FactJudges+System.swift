extension FactJudges {
    /// The rules of `system/…`.
    static let system: [ValidationTestID: FactJudge] = [
        SystemCatalogue.architecture.id: PlatformJudges.architecture,
        SystemCatalogue.versions.id: PlatformJudges.versions,
        SystemCatalogue.modules.id: PlatformJudges.modules,
        SystemCatalogue.limits.id: KernelJudges.limits,
        SystemCatalogue.timeSynchronization.id: PlatformJudges.timeSynchronization,
        SystemCatalogue.securityModules.id: PlatformJudges.securityModules,
        SystemCatalogue.memoryPolicy.id: KernelJudges.memoryPolicy,
        SystemCatalogue.watchdog.id: KernelJudges.watchdog,
        SystemCatalogue.services.id: ServiceJudges.services,
        SystemCatalogue.ports.id: ServiceJudges.ports,
        SystemCatalogue.users.id: AccessJudges.users,
        SystemCatalogue.permissions.id: AccessJudges.permissions,
        SystemCatalogue.entropy.id: KernelJudges.entropy,
        SystemCatalogue.certificates.id: AccessJudges.certificates,
        SystemCatalogue.crashDumps.id: KernelJudges.crashDumps,
        SystemCatalogue.space.id: AccessJudges.space,
    ]
}
