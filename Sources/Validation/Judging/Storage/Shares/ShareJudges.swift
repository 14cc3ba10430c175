import ClusterModel

/// Whether a file share can be trusted with what the nodes tell each other.
public enum ShareJudges {
    private static func subject(_ node: NodeName, _ share: String) -> FindingSubject { .node(node, item: share) }

    /// A file that one node wrote and closed, and what another read of it at once.
    public struct Look: Hashable, Sendable {
        public var writer: NodeName
        public var reader: NodeName
        public var wrote: String
        public var read: String?
        public init(writer: NodeName, reader: NodeName, wrote: String, read: String?) {
            self.writer = writer
            self.reader = reader
            self.wrote = wrote
            self.read = read
        }
    }

    /// `storage/share-visibility`.
    ///
    /// - Parameter kinds: What each node says is mounted there; nil where nothing is.
    public static func visibility(_ share: String, kinds: [(node: NodeName, kind: String?)], _ looks: [Look]) -> TestOutcome {
        var blind: [NodeName] = []
        var findings = kinds.map(\.node).compactMap { reader -> ValidationFinding? in
            let own = looks.filter { $0.reader == reader }
            guard !own.isEmpty else { return nil }
            guard let wrong = own.first(where: { $0.read != $0.wrote }) else {
                return ValidationFinding(
                    .pass, subject(reader, share), reason: "\(reader) read \(own.count) files as soon as other nodes had closed them.")
            }
            blind.append(reader)
            let isAbsent = own.allSatisfy { $0.read == nil }
            return ValidationFinding(
                .failure, subject(reader, share),
                reason: isAbsent
                    ? "\(reader) finds nothing of what \(wrong.writer) writes to \(share)."
                    : "\(reader) \(wrong.read == nil ? "did not find" : "read an older version of") a file that "
                        + "\(wrong.writer) had just closed.",
                cure: isAbsent ? "Mount the same share at \(share) on all nodes; `findmnt \(share)` says what is mounted." : nil)
        }
        for (node, kind) in kinds where kind == nil {
            findings.append(
                ValidationFinding(
                    .warning, subject(node, share),
                    reason: "Nothing is mounted at \(share) on \(node) over the network: what is there is part of the node itself.",
                    cure: "Mount the share there, and enter it in /etc/fstab with _netdev."))
        }
        return TestOutcome(
            findings,
            headline: blind.isEmpty
                ? nil
                : "\(NodeList.text(blind)) "
                    + "\(blind.count == 1 ? "does" : "do") not see what others write to \(share)")
    }

    /// What happened while one node had a file locked and others tried to.
    public struct Locking: Hashable, Sendable {
        public var holder: NodeName
        public var other: NodeName
        /// Whether the other got the lock while it was held, and after it was let go.
        public var gotMeanwhile: Bool
        public var gotAfterwards: Bool
        public init(holder: NodeName, other: NodeName, gotMeanwhile: Bool, gotAfterwards: Bool) {
            self.holder = holder
            self.other = other
            self.gotMeanwhile = gotMeanwhile
            self.gotAfterwards = gotAfterwards
        }
    }

    /// `storage/share-locks`.
    public static func locks(_ share: String, _ all: [Locking]) -> TestOutcome {
        var clause: String?
        let findings = all.map { locking -> ValidationFinding in
            let pair = FindingSubject(node: locking.holder, peer: locking.other, item: share)
            if locking.gotMeanwhile {
                clause = "locks on \(share) do not keep nodes apart"
                return ValidationFinding(
                    .failure, pair, reason: "\(locking.other) locked a file on \(share) while \(locking.holder) had it locked.",
                    cure: "Mount the share without nolock and local_lock (NFS) and without nobrl (SMB), NFS as 4.1 or later.")
            }
            if !locking.gotAfterwards {
                clause = clause ?? "locks on \(share) outlive their holders"
                return ValidationFinding(
                    .failure, pair,
                    reason: "\(locking.holder) had let go of its lock on \(share), and \(locking.other) still did not "
                        + "get it after some seconds.",
                    cure: "Look at the lock service of the file server (NFS 3: statd and lockd); use NFS 4.1 or later.")
            }
            return ValidationFinding(.pass, pair, reason: "\(locking.holder) kept \(locking.other) out, and let it in afterwards.")
        }
        return TestOutcome(findings, headline: clause)
    }

    /// In milliseconds: a server that needs longer makes the witness on it late.
    private static let (slowSync, tooSlowSync) = (100.0, 1_000.0)
    /// No network and no medium answers faster: it was only remembered.
    private static let instantSync = 0.02

    /// `storage/share-sync`.
    ///
    /// - Parameter answers: How long each fsync took, in milliseconds, and the share's mount options.
    public static func sync(_ share: String, _ answers: [(node: NodeName, syncs: [Double], options: [String])]) -> TestOutcome {
        var slow: [NodeName] = []
        let findings = answers.map { node, syncs, options -> ValidationFinding in
            guard let spread = Distribution(syncs) else {
                slow.append(node)
                return ValidationFinding(.failure, subject(node, share), reason: "No fsync of \(node) on \(share) returned in time.")
            }
            let figures = [Figure("fsync", spread, .milliseconds)]
            let text =
                "Of \(spread.count) calls of fsync by \(node) half took less than "
                + "\(MillisecondText.text(spread.median)), the slowest "
                + "\(MillisecondText.text(spread.maximum))."
            if options.contains("async") || spread.median < instantSync {
                return ValidationFinding(
                    .warning, subject(node, share),
                    reason: text + " That is too fast for anything but memory: it may "
                        + "be lost with the power.",
                    figures: figures)
            }
            // One call that is late may be the doing of a busy node; every tenth is the server's.
            if spread.p90 >= tooSlowSync {
                slow.append(node)
                return ValidationFinding(
                    .failure, subject(node, share), reason: text + " A witness on it would be late.",
                    cure: "Look at the load of the file server and at the network to it.", figures: figures)
            }
            let isSlow = spread.median > slowSync || spread.maximum >= tooSlowSync
            return ValidationFinding(
                isSlow ? .warning : .pass, subject(node, share), reason: text,
                cure: isSlow ? "Look at the load of the file server and at the network to it." : nil, figures: figures)
        }
        return TestOutcome(findings, headline: slow.isEmpty ? nil : "\(share) is too slow for \(NodeList.text(slow))")
    }

    /// `storage/share-rename`.
    public static func rename(
        _ share: String, writer: NodeName, replacements: Int, _ answers: [(node: NodeName, evidence: ShareWatchQuestion.Evidence)]
    ) -> TestOutcome {
        var clause: String?
        let findings = answers.map { reader, evidence -> ValidationFinding in
            let text = "\(writer) replaced a file \(replacements) times while \(reader) read it \(evidence.reads) times"
            let figures = [Figure("Replacements", Double(replacements), .count), Figure("Reads", Double(evidence.reads), .count)]
            if evidence.mixed > 0 || evidence.missing > 0 {
                clause = "files on \(share) are not replaced as a whole"
                return ValidationFinding(
                    .failure, subject(reader, share),
                    reason: "\(text): \(evidence.mixed) times it was neither the old nor the new one, "
                        + "\(evidence.missing) times there was none.",
                    figures: figures)
            }
            if replacements == 0 || evidence.seen < 2 {
                return ValidationFinding(
                    .warning, subject(reader, share), reason: "\(text), and saw \(evidence.seen) of the files: too few to tell.",
                    cure: "If the reader sees changes late, mount the share with actimeo=0 or lookupcache=none; then run this test again.",
                    figures: figures)
            }
            return ValidationFinding(
                .pass, subject(reader, share), reason: "\(text) and saw \(evidence.seen) of the files, each whole.", figures: figures)
        }
        return TestOutcome(findings, headline: clause)
    }
}
