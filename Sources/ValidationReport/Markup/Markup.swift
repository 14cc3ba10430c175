/// A piece of an HTML, SVG or XML document. Text and attributes are escaped when they are written, so nothing that a node, a disk or an
/// operator named can become markup.
///
/// What it writes is well-formed XML and HTML at the same time: attributes are quoted, only HTML's void elements lack an end tag.
indirect enum Markup: Sendable {
    case text(String)
    case element(String, [(name: String, value: String)], [Markup])
    case group([Markup])
    /// Written as it is: a constant.
    case verbatim(StaticString)
    /// Written as it is: made by this module without anything from outside.
    case trusted(String)

    /// - Parameters:
    ///   - attributes: Those without a value are left out.
    ///   - content: Its children in their order.
    static func tag(
        _ name: String, _ attributes: KeyValuePairs<String, String?> = [:], @MarkupBuilder _ content: () -> [Markup] = { [] }
    ) -> Markup {
        .element(name, attributes.compactMap { name, value in value.map { (name, $0) } }, content())
    }

    /// The document, ready to be written to a file.
    var text: String {
        var output = ""
        write(to: &output)
        return output
    }

    /// HTML's elements that have neither content nor an end tag (HTML Living Standard, 13.1.2), of those used here.
    private static let void: Set<String> = ["meta", "br"]
    /// A line break after these makes the source readable; between such elements it means nothing.
    private static let blocks: Set<String> = [
        "html", "head", "body", "meta", "title", "style", "header", "main", "nav", "footer", "section", "div", "p", "h1", "h2", "h3", "h4",
        "ul", "ol", "li", "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "details", "summary", "testsuites", "testsuite",
        "testcase", "properties", "property", "failure", "error", "skipped", "system-out", "symbol",
    ]

    private func write(to output: inout String) {
        switch self {
        case .text(let text): output += escaped(text)
        case .verbatim(let text): output += text.description
        case .trusted(let text): output += text
        case .group(let children): for child in children { child.write(to: &output) }
        case .element(let name, let attributes, let children):
            output += "<\(name)"
            for attribute in attributes { output += " \(attribute.name)=\"\(escaped(attribute.value))\"" }
            if Self.void.contains(name) {
                output += "/>"
            } else {
                output += ">"
                for child in children { child.write(to: &output) }
                output += "</\(name)>"
            }
            if Self.blocks.contains(name) { output += "\n" }
        }
    }
}

/// Lets children be written one below the other, with `if` and `for`.
@resultBuilder
enum MarkupBuilder {
    static func buildExpression(_ markup: Markup) -> [Markup] { [markup] }
    static func buildExpression(_ markup: [Markup]) -> [Markup] { markup }
    static func buildExpression(_ text: String) -> [Markup] { [.text(text)] }
    static func buildBlock(_ parts: [Markup]...) -> [Markup] { Array(parts.joined()) }
    static func buildOptional(_ part: [Markup]?) -> [Markup] { part ?? [] }
    static func buildEither(first: [Markup]) -> [Markup] { first }
    static func buildEither(second: [Markup]) -> [Markup] { second }
    static func buildArray(_ parts: [[Markup]]) -> [Markup] { Array(parts.joined()) }
}
