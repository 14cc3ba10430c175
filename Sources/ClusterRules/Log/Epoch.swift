/// The numbers of epochs. An epoch is won once at most, so its number names one log.
///
/// The lower 32 bits count epochs that a majority promised. An operator's forced quorum has no majority, so two partitions could be forced
/// at once: its epoch is of a higher generation (upper 16 bits) and bears the node that began it (16 bits between), which has to promise it
/// itself. So no two are alike and each is above every one seen before it.
public enum Epoch {
    /// The next one that a majority may promise; nil when the numbers are used up, which only a damaged replica can bring about.
    public static func next(after highest: UInt64) -> UInt64? {
        highest & 0xFFFF_FFFF == 0xFFFF_FFFF ? nil : highest + 1
    }
    /// The one that a node begins on an operator's order; nil after 65,535 of them.
    public static func forced(after highest: UInt64, on node: UInt16) -> UInt64? {
        let generation = highest >> 48
        return generation == 0xFFFF ? nil : (generation + 1) << 48 | UInt64(node) << 32
    }
    /// How often the cluster was forced until then.
    public static func generation(of epoch: UInt64) -> UInt64 { epoch >> 48 }
}
