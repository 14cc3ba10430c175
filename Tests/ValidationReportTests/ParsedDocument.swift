import Foundation
import FoundationXML

/// A document as an XML parser that knows nothing of us reads it.
final class ParsedDocument: NSObject, XMLParserDelegate {
    private(set) var elements: [String] = []
    private(set) var attributes: [(element: String, name: String, value: String)] = []
    private(set) var text = ""
    private(set) var problem: String?

    init(_ document: String) {
        super.init()
        let parser = XMLParser(data: Data(document.utf8))
        parser.delegate = self
        if !parser.parse() { problem = problem ?? "line \(parser.lineNumber): \(String(describing: parser.parserError))" }
    }

    func parser(
        _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        elements.append(elementName)
        for (name, value) in attributes.sorted(by: { $0.key < $1.key }) { self.attributes.append((elementName, name, value)) }
    }
    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
    func parser(_ parser: XMLParser, parseErrorOccurred parseError: any Error) {
        problem = problem ?? "line \(parser.lineNumber): \(parseError)"
    }

    func values(of attribute: String) -> [String] { attributes.filter { $0.name == attribute }.map(\.value) }
}
