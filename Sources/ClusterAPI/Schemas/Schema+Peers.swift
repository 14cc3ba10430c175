import ClusterModel

extension AllocationRequest: Described {
    public static var schema: Schema {
        .object([
            Schema.property("definition", VMDefinition.self),
            .init("volume", .text(), optional: true),
            Schema.property("owner", NodeName.self),
        ])
    }
}

extension IncomingOffer: Described {
    public static var schema: Schema {
        .object([
            .init("migration", .uuid),
            Schema.property("machine", VirtualMachine.self),
            Schema.property("source", NodeName.self),
            .init("epoch", .unsigned),
            Schema.property("acceleration", Acceleration.self),
            .init("qemuVersion", .text()),
            .init("postCopy", .boolean),
        ])
    }
}

extension IncomingReady: Described {
    public static var schema: Schema { .object([.init("address", .text()), .init("port", .unsigned)]) }
}

extension CapturedFrame: Described {
    public static var schema: Schema {
        .object([
            .init("interface", .text()),
            .init("bytes", .text(format: "byte"), "virtio_net_hdr (10 bytes) and the Ethernet frame, base64"),
        ])
    }
}

extension ResumeRequest: Described {
    public static var schema: Schema {
        .object([
            .init("migration", .uuid), .init("epoch", .unsigned), Schema.property("frames", [CapturedFrame].self),
        ])
    }
}

extension ResumeReply: Described {
    public static var schema: Schema {
        .object([
            .init("resumeMilliseconds", .milliseconds),
            .init("returnedEpoch", .unsigned, optional: true, "set when the copy was gone and ownership was handed back"),
        ])
    }
}

extension FrameDelivery: Described {
    public static var schema: Schema {
        .object([.init("migration", .uuid), Schema.property("frames", [CapturedFrame].self)])
    }
}

extension FrameReply: Described {
    public static var schema: Schema { .object([.init("firstFrameMilliseconds", .milliseconds, optional: true)]) }
}

extension DiscardRequest: Described {
    public static var schema: Schema { .object([.init("reason", .text())]) }
}

extension IncomingState: Described {
    public static var schema: Schema {
        .object([Schema.property("phase", IncomingState.Phase.self), .init("note", .text(), optional: true)])
    }
}

extension IncomingState.Phase: Described {
    // The type has no list of its cases; the tests encode each of these.
    public static var schema: Schema { .choice(["waiting", "receiving", "received", "running", "failed", "unknown"]) }
    public static var schemaName: String? { "IncomingPhase" }
}

extension LinkTestReady: Described {
    public static var schema: Schema { .object([.init("address", .text()), .init("port", .unsigned)]) }
}
