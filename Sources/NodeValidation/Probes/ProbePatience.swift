/// How long a validation waits before it says that something does not answer at all.
///
/// Nothing here judges how fast something is: the judges do, who have the figures. So each is many times what a busy node or array takes,
/// and a good disk is never reported as bad because the machines are busy. That a node hangs is found long before by asking it something
/// that costs no work, see ``ValidationTarget``.
enum ProbePatience {
    /// One command of a disk, or a new session with its target. More than a judge would let pass as slow.
    static let command = Duration.seconds(15)
    /// A session of a seat whose target says nothing for so long is given up.
    static let targetSilence = Duration.seconds(15)
    /// The answer to one question, besides the time that it works for on purpose.
    static let answer = Duration.seconds(45)
    /// The answer of a node that was late before: it must not hold up every test that follows.
    static let lateNode = Duration.seconds(5)
    /// A connection to a node, with TLS.
    static let connection = Duration.seconds(6)
    /// From a question until the node is asked for a sign of life, and between two such.
    static let beforeSign = Duration.seconds(2)
    /// For a sign of life: it costs the node no work, whatever else it does.
    static let sign = Duration.seconds(6)
    /// The most that a probe goes on when what it is to see has not come yet.
    static let probe = Duration.seconds(20)
}
