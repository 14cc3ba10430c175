public import ClusterModel
public import Foundation
import Yams

/// The text form of a machine definition: YAML, and so also JSON. `Docs/machine-definition.md` describes it field by field.
public enum VMDefinitionFile {
    /// Far more than the largest sensible definition, and little enough that no construction in it costs noticeable work.
    public static let maximumByteCount = 65_536
    /// What a machine gets whose file names no CPU: x86-64-v2, which TCG and KVM on every server since 2009 offer alike.
    public static let defaultCPUModel = "Nehalem"
    /// What a machine gets whose file names no machine type. A constant of Apus: a newer QEMU does not change it.
    public static let defaultMachineType = "pc-q35-7.2"

    /// Reads a definition, or finds everything that is wrong with it.
    ///
    /// - Parameters:
    ///   - fileName: As the operator named it, for messages.
    ///   - newID: The machine's UUID when the file gives none.
    /// - Throws: all problems at once, each with its line. Only what makes the text unreadable as YAML (and a key given twice) is
    ///   reported alone.
    public static func parse(_ text: String, fileName: String, newID: UUID = UUID()) throws(DefinitionErrors) -> VMDefinition {
        func refusal(_ message: String, line: Int = 1) -> DefinitionErrors {
            DefinitionErrors([DefinitionProblem(fileName: fileName, line: line, field: "", message: message)])
        }
        guard text.utf8.count <= maximumByteCount else {
            throw refusal("has \(text.utf8.count) bytes; a definition has at most \(maximumByteCount).")
        }
        // Aliases are refused below where they are met. Yams expands them first, though, and compares mapping keys in full: a few
        // dozen aliases of aliases used as keys would take hours. This many cannot.
        guard text.utf8.count(where: { $0 == UInt8(ascii: "*") }) <= 24 else {
            throw refusal("has more than 24 asterisks; YAML aliases are not used in definitions.")
        }
        var reader = DefinitionReader(fileName: fileName)
        let definition: VMDefinition?
        do {
            let parser = try Parser(yaml: text, encoding: .utf8)
            guard let root = try parser.singleRoot(), !DefinitionReader.isEmpty(root) else {
                throw refusal("is empty; a definition has at least a name and memory.")
            }
            // Nodes know their anchors only as long as the parser, which owns them, is there.
            definition = withExtendedLifetime(parser) { reader.definition(root, newID: newID) }
        } catch let error as YamlError {
            let (line, message) = explanation(of: error)
            throw refusal(message, line: line)
        } catch let error as DefinitionErrors {
            throw error
        } catch {
            throw refusal("cannot be read: \(error)")
        }
        guard let definition else { throw DefinitionErrors(reader.sortedProblems) }
        return definition
    }

    /// Line and sentence for what YAML itself objects to; never with the whole text in it.
    private static func explanation(of error: YamlError) -> (line: Int, message: String) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            return (max(1, mark.line), "is no valid YAML: \(problem).")
        case .reader(let problem, let offset, _, let yaml):
            let before = yaml.utf8.prefix(max(0, offset ?? 0))
            return (1 + before.count { $0 == UInt8(ascii: "\n") }, "is no valid YAML: \(problem).")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.prefix(5).map(quoted).joined(separator: ", ")
            return (max(1, context.mark.line), "\(keys) given twice; each field is given once.")
        case .memory: return (1, "cannot be read: out of memory.")
        default: return (1, "is no valid YAML.")
        }
    }
}
