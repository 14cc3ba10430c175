import ClusterModel
import Validation

extension ValidationTestID: Described {
    public static var schema: Schema { .text(pattern: "^[a-z]+/[a-z0-9-]+$") }
}
extension Verdict: Described { public static var schema: Schema { .cases(of: Self.self) } }

extension ValidationOffer: Described {
    public static var schema: Schema {
        .object([
            Schema.property("node", NodeName.self, "it carries the validation out"),
            Schema.property("nodes", [NodeName].self, "members of the cluster, or this node alone"),
            Schema.property("cluster", ClusterName.self, optional: true),
            Schema.property("tests", [ValidationTestID].self, "those that this version can carry out"),
            Schema.property("disks", [SharedDiskStatus].self),
            .init("diskProblem", .text(), optional: true),
        ])
    }
}

extension StartValidationRequest: Described {
    public static var schema: Schema {
        .object([
            Schema.property("nodes", [NodeName].self, "empty: all"),
            .init("tokens", .list(.text()), "one of each node that belongs to no cluster, but the one that is asked"),
            .init("tests", .list(.text()), "all, categories, tests; empty: all"), .init("skip", .list(.text())),
            Schema.property("disks", [DiskID].self, "tests may write to their scratch areas, which are put back"),
            .init("allEmptyDisks", .boolean, optional: true, "the same for every shared disk that carries nothing"),
            .init("shares", .list(.text()), "mount points of file shares"),
            .init(
                "unlessWithinSeconds", .integer(minimum: 0), optional: true,
                "a report of all tests for these nodes that is no older stands for a new one"),
        ])
    }
}

extension ValidationStatus.Phase: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "ValidationPhase" }
}
extension TestProgress.State: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "TestState" }
}
extension TestProgress: Described {
    public static var schema: Schema {
        .object([
            Schema.property("id", ValidationTestID.self), .init("title", .text()), Schema.property("state", TestProgress.State.self),
            .init("steps", .unsigned), .init("finishedSteps", .unsigned), .init("milliseconds", .unsigned),
            Schema.property("verdict", Verdict.self, optional: true, "set once it ended"),
            .init("remark", .text(), optional: true, "the first thing to say about a test that did not pass"),
        ])
    }
}
extension ValidationStatus: Described {
    public static var schema: Schema {
        .object([
            .init("id", .uuid), Schema.property("phase", ValidationStatus.Phase.self), Schema.property("nodes", [NodeName].self),
            Schema.property("tests", [TestProgress].self),
            Schema.property("unavailable", [ValidationTestID].self, "chosen, but this version cannot carry them out"),
            .init("cleanedUp", .list(.text()), "what was taken back on the nodes"),
            .init("elapsedMilliseconds", .unsigned),
            Schema.property("verdict", Verdict.self, optional: true, "set once it ended"),
            .init("sentence", .text(), optional: true, "the verdict in one line"),
            .init("reservation", .text(), optional: true, "what limits the verdict"),
            .init("problem", .text(), optional: true, "why there is no report"),
            .init("report", .text(), optional: true, "the page of the report: a path on the node that carried it out"),
        ])
    }
}

extension ValidationRun: Described {
    /// The report itself, in its own format with its own number; `format` says how to read it.
    public static var schema: Schema { .anyObject }
}

extension KeptReport: Described {
    public static var schema: Schema {
        .object([
            .init("id", .uuid), .init("began", .integer(minimum: nil), "milliseconds since 1970"),
            Schema.property("nodes", [NodeName].self),
            Schema.property("cluster", ClusterName.self, optional: true, "absent when the nodes belonged to none yet"),
            Schema.property("verdict", Verdict.self), .init("sentence", .text(), "the verdict in one line"),
            .init("byteCount", .unsigned, "of its JSON"),
        ])
    }
}
extension ReportNotice: Described {
    public static var schema: Schema { .object([Schema.property("node", NodeName.self, "it keeps a report that others may lack")]) }
}

extension ProbeRequest: Described {
    public static var schema: Schema {
        .object([.init("run", .uuid), .init("probe", .text()), .init("question", .anyObject, "as the probe defines it")])
    }
}
extension ProbeReply: Described {
    public static var schema: Schema { .object([.init("evidence", .anyObject, "as the probe defines it")]) }
}
extension FreeProbeRequest: Described {
    public static var schema: Schema {
        .object([.init("secret", .text(format: "byte"), "from the node's token"), Schema.property("request", ProbeRequest.self)])
    }
}
