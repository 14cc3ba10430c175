import ClusterModel

extension MigrationKind: Described { public static var schema: Schema { .cases(of: Self.self) } }
extension MigrationPhase: Described { public static var schema: Schema { .cases(of: Self.self) } }
extension MigrationOutcome: Described { public static var schema: Schema { .cases(of: Self.self) } }

extension MigrationOrder: Described {
    public static var schema: Schema {
        .object([
            Schema.property("vm", VMName.self),
            Schema.property("destination", NodeName.self),
            Schema.property("kind", MigrationKind.self),
            .init("maxBlackoutMilliseconds", .integer(minimum: 1), "the longest pause of the guest that is accepted"),
            .init("bandwidthBitsPerSecond", .integer(minimum: 1), optional: true, "cap for the memory stream"),
            .init("autoConverge", .boolean, "slow the guest's vCPUs down so that copying catches up"),
            .init("postCopy", .boolean, "run on the destination before all memory is there"),
        ])
    }
}

extension MigrationProgress: Described {
    public static var schema: Schema {
        .object([
            Schema.property("phase", MigrationPhase.self),
            .init("pass", .unsigned, "passes over memory so far, the current one included"),
            .init("totalBytes", .unsigned),
            .init("transferredBytes", .unsigned),
            .init("remainingBytes", .unsigned),
            .init("bytesPerSecond", .unsigned),
            .init("dirtyBytesPerSecond", .unsigned),
            .init("predictedBlackoutMilliseconds", .milliseconds, optional: true),
            .init("throttlePercent", .unsigned),
            .init("elapsedMilliseconds", .milliseconds),
            .init("note", .text(), optional: true, "what was just decided, and why"),
        ])
    }
}

extension MigrationRecord: Described {
    public static var schema: Schema {
        .object([
            .init("id", .uuid),
            Schema.property("order", MigrationOrder.self),
            Schema.property("source", NodeName.self),
            Schema.property("outcome", MigrationOutcome.self),
            Schema.property("owner", NodeName.self, optional: true, "the node that may run the machine now"),
            .init("isRunning", .boolean),
            .init("startedAt", .date),
            .init("totalMilliseconds", .milliseconds, "from the order to the end"),
            .init("blackoutMilliseconds", .milliseconds, optional: true, "from the guest's stop to its resumption"),
            .init("visibleGapMilliseconds", .milliseconds, optional: true, "longest silence a network peer saw"),
            .init("transferredBytes", .unsigned),
            .init("passes", .unsigned),
            .init("forwardedFrames", .unsigned),
            .init("message", .text()),
        ])
    }
}

extension MigrationPlan: Described {
    public static var schema: Schema {
        .object([
            Schema.property("order", MigrationOrder.self),
            Schema.property("source", NodeName.self),
            .init("refusals", .list(.text()), "what stands in the way; empty when the migration may start"),
            .init("memoryBytes", .unsigned),
            .init("dirtyBytesPerSecond", .unsigned),
            .init("linkBytesPerSecond", .unsigned),
            .init("predictedTotalMilliseconds", .milliseconds, optional: true),
            .init("predictedBlackoutMilliseconds", .milliseconds, optional: true),
            .init("predictedPasses", .unsigned, optional: true),
            .init("willConverge", .boolean),
            .init("summary", .text()),
        ])
    }
}

extension MigrationStatus: Described {
    public static var schema: Schema {
        .object([
            .init("id", .uuid),
            Schema.property("order", MigrationOrder.self),
            Schema.property("source", NodeName.self),
            Schema.property("progress", MigrationProgress.self),
            Schema.property("record", MigrationRecord.self, optional: true, "set once it ended"),
        ])
    }
}
