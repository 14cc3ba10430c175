import ClusterModel

extension Schema {
    /// RFC 1123 label, as ``OperatorName`` demands.
    static let operatorName = Schema.text(pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    static let uuid = Schema.text(format: "uuid")
    static let date = Schema.text(format: "date-time")

    static func cases<T: CaseIterable & RawRepresentable<String>>(of type: T.Type) -> Schema { .choice(T.allCases.map(\.rawValue)) }

    /// The form that Swift gives to an enum case with associated values: an object with the case's name as its only key.
    static func enumCase(_ name: String, _ properties: [Property] = []) -> Schema {
        .object([Property(name, .object(properties))])
    }
}

extension NodeName: Described { public static var schema: Schema { .operatorName } }
extension VMName: Described { public static var schema: Schema { .operatorName } }

extension VMDefinition: Described {
    public static var schema: Schema {
        .object([
            Schema.property("name", VMName.self),
            .init("id", .uuid, "SMBIOS system UUID of the machine"),
            .init("memoryMiB", .integer(minimum: 1)),
            .init("vcpus", .integer(minimum: 1)),
            .init("cpuModel", .text(), "a QEMU CPU model, for instance EPYC-Rome"),
            .init("machineType", .text(), "a versioned QEMU machine type, for instance pc-q35-7.2"),
            Schema.property("firmware", Firmware.self),
            Schema.property("disks", [VMDisk].self, "in boot order"),
            Schema.property("interfaces", [VMInterface].self),
            .init("vnc", .boolean),
            Schema.property("onCrash", CrashPolicy.self),
        ])
    }
}

extension Firmware: Described {
    public static var schema: Schema {
        .oneOf([
            .enumCase("bios"), .enumCase("uefi"),
            .enumCase("kernel", [.init("path", .text()), .init("initrd", .text(), optional: true), .init("commandLine", .text())]),
        ])
    }
}

extension CrashPolicy: Described { public static var schema: Schema { .cases(of: Self.self) } }

extension VMDisk: Described {
    public static var schema: Schema {
        .object([.init("name", .text()), .init("byteCount", .unsigned, "a multiple of 1 MiB")])
    }
}

extension VMInterface: Described {
    public static var schema: Schema {
        .object([.init("name", .text()), Schema.property("mac", MACAddress.self), .init("bridge", .text())])
    }
}

extension MACAddress: Described {
    public static var schema: Schema { .text(pattern: "^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$") }
}

extension VirtualMachine: Described {
    public static var schema: Schema {
        .object([
            Schema.property("definition", VMDefinition.self),
            .init("extents", .map(.reference(Extent.self)), "where each disk lies, by the disk's name"),
            Schema.property("firmwareVariables", Extent.self, optional: true),
            Schema.property("ownershipSlot", OwnershipSlot.self),
        ])
    }
}

extension VMRunState: Described { public static var schema: Schema { .cases(of: Self.self) } }

extension VMStatus: Described {
    public static var schema: Schema {
        .object([
            Schema.property("machine", VirtualMachine.self),
            Schema.property("state", VMRunState.self),
            Schema.property("owner", NodeName.self, optional: true, "the node that may run it"),
            .init("epoch", .unsigned, "counts changes of ownership"),
            .init("processID", .integer(minimum: 1), optional: true),
            .init("note", .text(), optional: true, "why the state is what it is"),
        ])
    }
}

extension CreateMachineRequest: Described {
    public static var schema: Schema {
        .object([
            Schema.property("definition", VMDefinition.self),
            .init("volume", .text(), optional: true, "label of a Cluster Shared Volume; without it the one with the most room"),
            .init("image", .text(), optional: true, "path of a raw image on the node that is asked, written into the first disk"),
        ])
    }
}

extension StopMachineRequest: Described {
    public static var schema: Schema { .object([.init("force", .boolean, "end it at once instead of asking the guest to shut down")]) }
}
