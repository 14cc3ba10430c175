/// Every test there is, in the order in which reports list them.
public enum ValidationCatalogue {
    public static let tests: [ValidationTest] =
        InventoryCatalogue.tests + NetworkCatalogue.tests + StorageCatalogue.tests + SystemCatalogue.tests + HypervisorCatalogue.tests
        + ClusterCatalogue.tests

    public static func test(_ id: ValidationTestID) -> ValidationTest? { byID[id] }

    private static let byID = Dictionary(uniqueKeysWithValues: tests.map { ($0.id, $0) })
}
