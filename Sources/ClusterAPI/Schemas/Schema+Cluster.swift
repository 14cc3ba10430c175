import ClusterModel

extension ClusterName: Described { public static var schema: Schema { .operatorName } }
extension NodeID: Described { public static var schema: Schema { .integer(minimum: 1) } }
extension WitnessChoice: Described {
    public static var schema: Schema { .text(pattern: "^(auto|none|disk:.+|share:/.*)$") }
}
extension ClusterChange.Kind: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "ClusterChangeKind" }
}
extension ClusterChange.Outcome: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "ClusterChangeOutcome" }
}
extension ClusterChange.Step: Described {
    public static var schema: Schema { .object([.init("at", .date), .init("text", .text())]) }
    public static var schemaName: String? { "ClusterChangeStep" }
}
extension ClusterChange: Described {
    public static var schema: Schema {
        .object([
            .init("id", .uuid),
            Schema.property("kind", ClusterChange.Kind.self),
            .init("subject", .text(), "the name of the cluster or node it is about"),
            Schema.property("steps", [ClusterChange.Step].self),
            Schema.property("outcome", ClusterChange.Outcome.self, optional: true, "absent while it goes on"),
            .init("message", .text(), optional: true, "what was done, or why not and what to do"),
        ])
    }
}

extension Membership.State: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "MembershipState" }
}
extension Membership: Described {
    public static var schema: Schema {
        .object([
            Schema.property("node", NodeName.self),
            Schema.property("state", Membership.State.self),
            .init("cluster", .text(), optional: true),
            .init("clusterID", .uuid, optional: true),
            .init("note", .text(), "what this means, or what to do"),
        ])
    }
}

extension TokenRequest: Described {
    public static var schema: Schema { .object([.init("lifetimeSeconds", .integer(minimum: 60), "at most 86400")]) }
}
extension TokenReply: Described {
    public static var schema: Schema {
        .object([
            .init("token", .text(), "to be given to the node that shall take this one in; can be used once"),
            Schema.property("node", NodeName.self), .init("address", .text()), .init("port", .integer(minimum: 1)), .init("expires", .date),
        ])
    }
}
extension CreateClusterRequest: Described {
    public static var schema: Schema {
        .object([
            Schema.property("name", ClusterName.self),
            Schema.property("nodes", [NodeName].self, "empty: the node that is asked, and those of the tokens"),
            .init("tokens", .list(.text()), "one of each node but the one that is asked"),
            Schema.property("witness", WitnessChoice.self),
            .init("force", .boolean, "destroy what the witness disk carries"),
            Schema.property("validation", PriorValidation.self, optional: true, "goes into the cluster's history"),
        ])
    }
}
extension PriorValidation: Described {
    public static var schema: Schema { .object([.init("run", .uuid, optional: true, "absent: the validation was left out")]) }
}
extension AddNodeRequest: Described {
    public static var schema: Schema {
        .object([
            .init("token", .text()),
            Schema.property("validation", PriorValidation.self, optional: true, "goes into the cluster's history"),
        ])
    }
}
extension ForceRequest: Described {
    public static var schema: Schema { .object([.init("force", .boolean, "also when the node does not answer or runs machines")]) }
}
extension DestroyClusterRequest: Described {
    public static var schema: Schema {
        .object([
            Schema.property("name", ClusterName.self, optional: true, "must be the cluster's name; may be absent with localOnly"),
            .init("localOnly", .boolean, "only make this node a free one"),
            .init("force", .boolean),
        ])
    }
}

extension NodeAddress: Described {
    public static var schema: Schema {
        .object([Schema.property("name", NodeName.self), .init("cluster", .text()), .init("migration", .text())])
    }
}
extension NodeAddresses: Described {
    public static var schema: Schema {
        .object([
            .init("rings", .list(.text()), "one or two, on the cluster networks"), .init("migration", .text()),
        ])
    }
}
extension JoinPreparation: Described {
    public static var schema: Schema {
        .object([
            .init("secret", .secret), Schema.property("founder", NodeName.self, "who asks"),
            Schema.property("cluster", ClusterName.self),
        ])
    }
}
extension JoinOffer: Described {
    public static var schema: Schema {
        .object([
            .init("session", .secret, "authorises the calls that follow"),
            Schema.property("node", NodeName.self),
            Schema.property("addresses", NodeAddresses.self),
            .init("apiPort", .integer(minimum: 1)),
            .init("corosyncVersion", .text(), optional: true, "absent when corosync is not installed"),
            .init("now", .date, "its clock"),
            Schema.property("facts", NodeFacts.self),
            Schema.property("disks", [SharedDiskStatus].self),
            .init("diskProblem", .text(), optional: true),
        ])
    }
}
extension JoinOrder: Described { public static var schema: Schema { .object([.init("session", .secret)]) } }
extension MembershipDelivery: Described {
    public static var schema: Schema { .object([.init("session", .secret), Schema.property("bundle", MembershipBundle.self)]) }
}
extension MembershipBundle.CertificateFiles: Described {
    public static var schema: Schema {
        .object([.init("authority", .text()), .init("certificate", .text()), .init("key", .text())])
    }
}
extension MembershipBundle: Described {
    public static var schema: Schema {
        .object([
            .init("clusterID", .uuid),
            Schema.property("cluster", ClusterName.self),
            Schema.property("node", NodeName.self),
            Schema.property("nodeID", NodeID.self),
            Schema.property("nodes", [NodeAddress].self),
            Schema.property("api", MembershipBundle.CertificateFiles.self),
            Schema.property("stream", MembershipBundle.CertificateFiles.self),
            .init("corosyncKey", .secret),
            .init("corosyncConfiguration", .text()),
            .init("image", .text(format: "byte"), "the replica to begin with, JSON"),
        ])
    }
}
extension MemberOrder.Action: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "MemberOrderAction" }
}
extension MemberOrder: Described {
    public static var schema: Schema {
        .object([
            Schema.property("action", MemberOrder.Action.self),
            .init("clusterID", .uuid, "must be the cluster that the node is a member of"),
            .init("force", .boolean, "stop the machines that run there"),
        ])
    }
}
extension CorosyncFilesReply: Described {
    public static var schema: Schema { .object([.init("configuration", .text(), "corosync.conf"), .init("key", .secret)]) }
}
extension JoinState.Phase: Described {
    public static var schema: Schema { .cases(of: Self.self) }
    public static var schemaName: String? { "JoinPhase" }
}
extension JoinState: Described {
    public static var schema: Schema {
        .object([Schema.property("phase", JoinState.Phase.self), .init("note", .text(), optional: true)])
    }
}

extension Schema {
    /// Bytes as base64.
    static let secret = Schema.text(format: "byte")
}
