import ClusterModel

extension Acceleration: Described { public static var schema: Schema { .cases(of: Self.self) } }

extension NodeFacts: Described {
    public static var schema: Schema {
        .object([
            Schema.property("node", NodeName.self),
            .init("apusVersion", .text()),
            .init("qemuVersion", .text()),
            Schema.property("acceleration", Acceleration.self, "found by starting a tiny guest"),
            .init("accelerationEvidence", .text(), "why this acceleration is used"),
            .init("machineTypes", .list(.text())),
            .init("cpuModels", .list(.text())),
            .init("memoryTotalMiB", .unsigned),
            .init("memoryAvailableMiB", .unsigned),
            .init("bridges", .list(.text())),
            Schema.property("disks", [DiskID].self),
            .init("machinesRunning", .unsigned),
            .init("acceptsPostCopy", .boolean, "whether its kernel lets QEMU receive by post-copy"),
        ])
    }
}

extension NodeStatus: Described {
    public static var schema: Schema {
        .object([
            Schema.property("name", NodeName.self),
            .init("address", .text()),
            Schema.property("facts", NodeFacts.self, optional: true, "absent when the node did not answer"),
            .init("problem", .text(), optional: true, "why it did not answer"),
            .init("isCoordinator", .boolean),
        ])
    }
}

extension DiskID: Described { public static var schema: Schema { .text() } }

extension Extent: Described {
    public static var schema: Schema {
        .object([
            Schema.property("disk", DiskID.self), .init("byteOffset", .unsigned), .init("byteCount", .unsigned),
        ])
    }
}

extension NamedExtent: Described {
    public static var schema: Schema { .object([.init("name", .text(), "MACHINE/DISK"), Schema.property("extent", Extent.self)]) }
}

extension OwnershipSlot: Described {
    public static var schema: Schema { .object([Schema.property("disk", DiskID.self), .init("index", .unsigned)]) }
}

extension DiskContent: Described {
    public static var schema: Schema {
        .oneOf([
            .enumCase("empty"),
            .enumCase("clusterSharedVolume", [.init("id", .uuid), .init("label", .text())]),
            .enumCase("foreign", [.init("description", .text(), "what was recognised")]),
            .enumCase("damaged", [.init("description", .text(), "what is wrong")]),
        ])
    }
}

extension SharedDiskStatus: Described {
    public static var schema: Schema {
        .object([
            Schema.property("id", DiskID.self),
            .init("lun", .unsigned),
            .init("vendor", .text()),
            .init("product", .text()),
            .init("serial", .text()),
            .init("byteCount", .unsigned),
            .init("blockByteCount", .unsigned),
            Schema.property("content", DiskContent.self),
            .init("freeByteCount", .unsigned, optional: true, "only of a Cluster Shared Volume"),
            Schema.property("extents", [NamedExtent].self),
        ])
    }
}

extension InitializeDiskRequest: Described {
    public static var schema: Schema {
        .object([
            Schema.property("disk", DiskID.self),
            .init("label", .text(), "how operators will call the volume"),
            .init("force", .boolean, "destroy foreign content"),
        ])
    }
}

extension APIError: Described {
    public static var schema: Schema {
        .object([
            Schema.property("code", APIError.Code.self),
            .init("message", .text(), "what happened and what to do, in sentences"),
            Schema.property("node", NodeName.self, optional: true, "the node that says so"),
        ])
    }
}

extension APIError.Code: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "APIErrorCode" }
}
