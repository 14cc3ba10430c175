/// Which tests the operator wants.
public struct TestSelection: Hashable, Sendable {
    /// As written.
    public let terms: [String]
    public let tests: [ValidationTest]

    public static let all = TestSelection(terms: ["all"], tests: ValidationCatalogue.tests)

    private init(terms: [String], tests: [ValidationTest]) {
        self.terms = terms
        self.tests = tests
    }

    /// - Parameters:
    ///   - terms: Each `all`, a category (`storage`), a test (`storage/arbitration`), or the bare name of a test where only one category has
    ///     it (`arbitration`). Empty means all.
    ///   - excluded: The same forms; these are taken out again.
    /// - Throws: ``SelectionError`` that names the term and what may have been meant.
    public init(_ terms: [String], excluding excluded: [String] = []) throws(SelectionError) {
        let wanted = try Self.resolve(terms.isEmpty ? ["all"] : terms)
        let unwanted = try Self.resolve(excluded)
        tests = ValidationCatalogue.tests.filter { wanted.contains($0.id) && !unwanted.contains($0.id) }
        guard !tests.isEmpty else { throw .nothingLeft }
        self.terms = (terms.isEmpty ? ["all"] : terms) + excluded.map { "-" + $0 }
    }

    /// Tests of the catalogue that were not chosen.
    public var skipped: [ValidationTestID] {
        let chosen = Set(tests.map(\.id))
        return ValidationCatalogue.tests.map(\.id).filter { !chosen.contains($0) }
    }

    private static func resolve(_ terms: [String]) throws(SelectionError) -> Set<ValidationTestID> {
        var ids: Set<ValidationTestID> = []
        for term in terms { ids.formUnion(try tests(for: term).map(\.id)) }
        return ids
    }

    private static func tests(for term: String) throws(SelectionError) -> [ValidationTest] {
        let name = term.lowercased()
        if name == "all" { return ValidationCatalogue.tests }
        if let category = ValidationCategory(rawValue: name) { return ValidationCatalogue.tests.filter { $0.category == category } }
        if let id = ValidationTestID(name), let test = ValidationCatalogue.test(id) { return [test] }
        let named = ValidationCatalogue.tests.filter { $0.id.name == name }
        switch named.count {
        case 1: return named
        case 0: throw .unknown(term, similar: similar(to: name))
        default: throw .ambiguous(term, named.map(\.id))
        }
    }

    /// What may have been meant, the nearest first; at most three.
    private static func similar(to name: String) -> [String] {
        // A longer text holds no test's name, and the distance costs the product of both lengths.
        guard name.utf8.count <= 64 else { return [] }
        var candidates = ValidationCategory.allCases.map { (word: $0.rawValue, target: $0.rawValue) }
        for test in ValidationCatalogue.tests {
            candidates.append((test.id.description, test.id.description))
            candidates.append((test.id.name, test.id.description))
        }
        // The right name in the wrong category is nearer than anything.
        let bare = name.split(separator: "/").last.map(String.init) ?? name
        let ranked = candidates.map { (distance: $0.word == bare ? 0 : editDistance(name, $0.word), word: $0.word, target: $0.target) }
            .filter { $0.distance <= max(1, min(name.count, $0.word.count) / 3) || ($0.word.contains(name) && name.count >= 3) }
            .sorted { ($0.distance, $0.target) < ($1.distance, $1.target) }
        return ranked.reduce(into: []) { if $0.count < 3, !$0.contains($1.target) { $0.append($1.target) } }
    }
}

/// A term of a selection that means no test, or none that is clear.
public enum SelectionError: Error, Hashable, CustomStringConvertible {
    case unknown(String, similar: [String])
    case ambiguous(String, [ValidationTestID])
    case nothingLeft

    public var description: String {
        switch self {
        case .unknown(let term, let similar) where similar.isEmpty:
            "There is no test or category \"\(term)\". apus validate --list shows them all."
        case .unknown(let term, let similar):
            "There is no test or category \"\(term)\". Did you mean \(similar.joined(separator: " or "))?"
        case .ambiguous(let term, let ids):
            "Several categories have a test \"\(term)\". Write \(ids.map(\.description).joined(separator: " or "))."
        case .nothingLeft:
            "No test is left: everything that was chosen is also left out."
        }
    }
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to make one text the other.
func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.unicodeScalars)
    let right = Array(right.unicodeScalars)
    guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in 1...left.count {
        var current = [row] + Array(repeating: 0, count: right.count)
        for column in 1...right.count {
            let cost = left[row - 1] == right[column - 1] ? 0 : 1
            current[column] = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + cost)
            if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                current[column] = min(current[column], beforeLast[column - 2] + 1)
            }
        }
        beforeLast = last
        last = current
    }
    return last[right.count]
}
