import ClusterModel

extension QuorumModel: Described { public static var schema: Schema { .cases(of: Self.self) } }
extension NodeState: Described { public static var schema: Schema { .cases(of: Self.self) } }
extension WitnessStatus.Condition: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "WitnessCondition" }
}

extension ClusterStatusReport.MemberLine: Described {
    public static var schema: Schema {
        .object([
            Schema.property("name", NodeName.self), Schema.property("id", NodeID.self), Schema.property("state", NodeState.self),
            .init("votes", .integer(minimum: 0)), .init("isPresent", .boolean, "seen by the node that was asked"),
            .init("isCoordinator", .boolean), .init("machines", .integer(minimum: 0)),
        ])
    }
    public static var schemaName: String? { "ClusterMemberLine" }
}
extension ClusterStatusReport.WitnessLine: Described {
    public static var schema: Schema {
        .object([
            .init("description", .text()), Schema.property("condition", WitnessStatus.Condition.self), .init("votes", .integer(minimum: 0)),
            Schema.property("holder", NodeName.self, optional: true, "as the asked node read last"),
            .init("problem", .text(), optional: true),
        ])
    }
    public static var schemaName: String? { "ClusterWitnessLine" }
}
extension ClusterStatusReport: Described {
    public static var schema: Schema {
        .object([
            .init("cluster", .text()), Schema.property("node", NodeName.self, "the one that was asked"),
            .init("isOpen", .boolean, "whether its partition may run machines and change things"), .init("configuration", .text()),
            Schema.property("model", QuorumModel.self), .init("isModelAutomatic", .boolean), .init("isDynamic", .boolean),
            .init("secondsUntilStop", .integer(minimum: 0), "how long machines without quorum stay paused before they are stopped"),
            .init("votesPresent", .integer(minimum: 0)), .init("votesNeeded", .integer(minimum: 0)),
            .init("votesTotal", .integer(minimum: 0)), .init("tolerance", .text(), "what may fail next"),
            .init("warnings", .list(.text())), Schema.property("nodes", [ClusterStatusReport.MemberLine].self),
            Schema.property("witness", ClusterStatusReport.WitnessLine.self, optional: true),
            .init("index", .integer(minimum: 0), "the last change that this node knows"),
        ])
    }
}
extension SetQuorumRequest: Described {
    public static var schema: Schema {
        .object([
            Schema.property("model", QuorumModel.self, optional: true), .init("isModelAutomatic", .boolean, optional: true),
            .init("isDynamic", .boolean, optional: true), .init("secondsUntilStop", .integer(minimum: 0), optional: true, "at most 86400"),
            .init("isWitnessInMaintenance", .boolean, optional: true, "out of the count, for work on the array"),
        ])
    }
}
extension SetWitnessRequest: Described {
    public static var schema: Schema {
        .object([
            Schema.property("witness", WitnessChoice.self), .init("force", .boolean, "destroy what the disk or folder carries"),
        ])
    }
}
extension NoteEventRequest: Described {
    public static var schema: Schema {
        .object([
            .init("sentence", .text(), "one line, at most \(maximumByteCount) bytes"),
            Schema.property("severity", ClusterEvent.Severity.self, optional: true, "information unless told otherwise"),
        ])
    }
}
extension ForceQuorumRequest: Described { public static var schema: Schema { .object([.init("reason", .text())]) } }

extension ClusterEvent.Kind: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "ClusterEventKind" }
}
extension ClusterEvent.Severity: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "ClusterEventSeverity" }
}
extension ClusterEvent: Described {
    public static var schema: Schema {
        .object([
            .init("id", .integer(minimum: 1)),
            .init("time", .integer(minimum: nil), "milliseconds since 1970, by the clock of the node that told it"),
            Schema.property("node", NodeID.self, optional: true), Schema.property("kind", ClusterEvent.Kind.self),
            Schema.property("severity", ClusterEvent.Severity.self), .init("cause", .text(), optional: true), .init("sentence", .text()),
        ])
    }
}
