import ClusterModel
import Foundation
import NodeService
import QEMU
import Validation

/// What the node's QEMU offers, as the node service found when it started, and what the kernel allows it.
enum HypervisorCollector {
    static func collect(_ reader: inout FactReader, _ host: HostCapabilities) -> HypervisorFacts {
        var facts = HypervisorFacts()
        facts.acceleration = host.acceleration
        facts.accelerationEvidence = host.evidence
        facts.machineTypes = host.machineTypes
        facts.cpuModels = host.cpuModels
        let nesting = ["kvm_intel", "kvm_amd"].compactMap { reader.optionalLine("/sys/module/\($0)/parameters/nested") }.first
        facts.allowsNesting = nesting.map { ["Y", "1"].contains($0) }
        facts.hasIOMMU = !reader.names(in: "/sys/kernel/iommu_groups").isEmpty
        facts.acceptsPostCopy = HostFacts.acceptsPostCopy()
        let firmware = UEFIFirmware()
        facts.firmwareImages = [firmware.codePath, firmware.variablesTemplatePath].filter { reader.exists($0) }
        return facts
    }
}
