import Testing

@testable import Validation

@Suite("Catalogue")
struct CatalogueTests {
    @Test("Identities are unique and readable, and every test says what it proves and what helps", arguments: ValidationCatalogue.tests)
    func wellFormed(test: ValidationTest) {
        #expect(ValidationCatalogue.tests.count { $0.id == test.id } == 1)
        #expect(ValidationTestID(test.id.description) == test.id)
        #expect(!test.title.isEmpty)
        #expect(test.proves.hasSuffix(".") && test.cure.hasSuffix("."))
        #expect(test.deadline > .zero && test.deadline <= .seconds(180))
    }

    @Test("Needs fit what the test works on", arguments: ValidationCatalogue.tests)
    func needs(test: ValidationTest) {
        switch test.scope {
        case .eachPair: #expect(test.needs.contains(.twoNodes))
        case .eachDisk: #expect(test.needs.contains(.testableDisk))
        case .eachShare: #expect(test.needs.contains(.fileShare))
        case .whole, .eachNode: break
        }
        if test.category == .cluster { #expect(test.needs.contains(.runningCluster)) }
        if test.evidence == .facts { #expect(test.scope == .whole && test.disturbance == .none) }
    }

    @Test(
        "Identities that are none are refused", arguments: ["", "/", "storage", "storage/", "storage/A", "x/y", "storage/a/b", "storage/ä"])
    func badIdentities(text: String) { #expect(ValidationTestID(text) == nil) }
}
