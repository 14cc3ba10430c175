/// The version of Apus: what `apus version` prints and nodes tell each other.
public enum ApusVersion {
    public static let current = "0.2.0"
}
