/// What the node is built of.
public struct HardwareFacts: Hashable, Sendable, Codable {
    public var firmware = FirmwareFacts()
    public var processors = ProcessorFacts()
    public var memory = MemoryFacts()
    public var numaNodes: [NUMANodeFacts] = []
    public var pciDevices: [PCIDeviceFacts] = []
    public init() {}
}

/// From `/sys/class/dmi/id` and `/sys/firmware/efi`.
public struct FirmwareFacts: Hashable, Sendable, Codable {
    public var vendor: String?
    public var version: String?
    public var date: String?
    public var systemVendor: String?
    public var systemProduct: String?
    public var isUEFI: Bool?
    public var isSecureBoot: Bool?
    public init() {}
}

/// From `/proc/cpuinfo` and `/sys/devices/system/cpu`.
public struct ProcessorFacts: Hashable, Sendable, Codable {
    /// As uname(2) has it: `x86_64`.
    public var architecture: String?
    /// `GenuineIntel`, `AuthenticAMD`.
    public var vendor: String?
    public var model: String?
    /// As the kernel counts them: processor family, model number and stepping.
    public var family: Int?
    public var modelNumber: Int?
    public var stepping: Int?
    public var microcode: String?
    public var sockets: Int?
    public var cores: Int?
    /// Logical processors that are online.
    public var threads: Int?
    /// Flags as the kernel names them (`vmx`, `avx2`), sorted.
    public var features: [String] = []
    /// The hypervisor this node itself runs under, as CPUID says; nil on bare metal.
    public var hypervisor: String?
    /// Vulnerabilities and what the kernel does about each.
    public var mitigations: [String: String] = [:]
    public init() {}
}

/// From `/proc/meminfo` and `/sys/kernel/mm/hugepages`.
public struct MemoryFacts: Hashable, Sendable, Codable {
    public var totalBytes: UInt64?
    public var availableBytes: UInt64?
    public var swapTotalBytes: UInt64?
    public var swapFreeBytes: UInt64?
    public var hugepages: [HugepageFacts] = []
    /// The chosen word of `/sys/kernel/mm/transparent_hugepage/enabled`.
    public var transparentHugepages: String?
    /// Errors that memory controllers counted (EDAC); nil without such a driver.
    public var correctedErrors: Int?
    public var uncorrectedErrors: Int?
    public init() {}
}

/// Reserved pages of one size.
public struct HugepageFacts: Hashable, Sendable, Codable {
    public var pageBytes: UInt64
    public var total: Int
    public var free: Int
    public init(pageBytes: UInt64, total: Int, free: Int) {
        self.pageBytes = pageBytes
        self.total = total
        self.free = free
    }
}

public struct NUMANodeFacts: Hashable, Sendable, Codable {
    public var number: Int
    /// As in `/sys/devices/system/node/node0/cpulist`: `0-7,16-23`.
    public var processors: String
    public var memoryBytes: UInt64
    public init(number: Int, processors: String, memoryBytes: UInt64) {
        self.number = number
        self.processors = processors
        self.memoryBytes = memoryBytes
    }
}

/// A line of lspci(8), read from `/sys/bus/pci/devices`.
public struct PCIDeviceFacts: Hashable, Sendable, Codable {
    /// `0000:00:1f.2`.
    public var address: String
    /// Class, vendor and device as hexadecimal numbers: `0200`, `8086`, `1572`.
    public var classCode: String
    public var vendorID: String
    public var deviceID: String
    /// From the hwdata list where it is installed.
    public var name: String?
    public var driver: String?
    public var iommuGroup: String?
    public init(address: String, classCode: String, vendorID: String, deviceID: String) {
        self.address = address
        self.classCode = classCode
        self.vendorID = vendorID
        self.deviceID = deviceID
    }
}
