import ClusterModel
import Foundation
import Yams

/// Walks the nodes of one file along the documented form and notes every problem with its line.
///
/// It goes only where the form leads, three levels down, so the shape of hostile input cannot make it work.
struct DefinitionReader {
    let fileName: String
    private(set) var problems: [DefinitionProblem] = []
    /// Where each field stands, by its path, so that breaches of ``DefinitionRules`` find their line.
    private var lines: [String: Int] = [:]
    /// Enough for an operator to work on; hostile input must not turn into megabytes of messages.
    private static let maximumProblems = 100

    init(fileName: String) { self.fileName = fileName }

    var sortedProblems: [DefinitionProblem] {
        problems.enumerated().sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }.map(\.element)
    }

    /// - Returns: nil, with at least one problem noted, unless the whole file is right.
    mutating func definition(_ root: Node, newID: UUID) -> VMDefinition? {
        let fields = self.fields(
            of: root, path: "",
            allowed: ["name", "uuid", "memory", "vcpus", "cpu", "machine", "firmware", "disks", "networks", "vnc", "onCrash"])
        guard let fields else { return nil }
        // A stand-in takes the place of what cannot be read, so that the rules can still judge the rest.
        let name = name(fields)
        let id = uuid(fields) ?? newID
        let definition = VMDefinition(
            name: name ?? VMName(unchecked: "x"), id: id,
            memoryMiB: memory(fields) ?? DefinitionRules.memoryMiB.lowerBound,
            vcpus: fields["vcpus"].flatMap { vcpus($0, path: "vcpus") } ?? 1,
            cpuModel: cpuModel(fields) ?? VMDefinitionFile.defaultCPUModel,
            machineType: text(fields, "machine") ?? VMDefinitionFile.defaultMachineType,
            firmware: fields["firmware"].flatMap { firmware($0) } ?? .bios,
            disks: disks(fields), interfaces: interfaces(fields, machine: id),
            vnc: fields["vnc"].flatMap { boolean($0, path: "vnc") } ?? false,
            onCrash: fields["onCrash"].flatMap { crashPolicy($0) } ?? .restart)
        let unreadable = Set(problems.map(\.field))
        for problem in DefinitionRules.problems(in: definition) where !unreadable.contains(problem.field) {
            note(problem.field, problem.message, line: line(ofField: problem.field))
        }
        return problems.isEmpty ? definition : nil
    }

    static func isEmpty(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    // MARK: Fields

    private mutating func name(_ fields: [String: Node]) -> VMName? {
        guard fields["name"] != nil else {
            note("name", "is missing; every machine has one.", line: lines[""])
            return nil
        }
        guard let text = text(fields, "name") else { return nil }
        do throws(InvalidName) { return try VMName(text) } catch {
            let short = InvalidName(noun: error.noun, text: String(error.text.prefix(80)).filter { !$0.isNewline })
            note("name", short.description, line: lines["name"])
            return nil
        }
    }

    private mutating func uuid(_ fields: [String: Node]) -> UUID? {
        guard let text = text(fields, "uuid") else { return nil }
        guard let id = UUID(uuidString: text), id.uuidString.lowercased() == text.lowercased() else {
            note("uuid", "\(quoted(text)) is no UUID; write it as 2c1f7a90-0000-4000-8000-000000000001.", line: lines["uuid"])
            return nil
        }
        return id
    }

    private mutating func memory(_ fields: [String: Node]) -> Int? {
        guard fields["memory"] != nil else {
            note("memory", "is missing; give it as \"512 MiB\" or \"4 GiB\".", line: lines[""])
            return nil
        }
        return text(fields, "memory").flatMap { mebibytes($0, path: "memory") }.map { Int(clamping: $0) }
    }

    private mutating func cpuModel(_ fields: [String: Node]) -> String? {
        guard let text = text(fields, "cpu") else { return nil }
        // The x86-64 psABI level; QEMU's documentation names Nehalem as its model ("Preferred CPU models for Intel x86 hosts").
        return text == "x86-64-v2" ? "Nehalem" : text
    }

    private mutating func firmware(_ node: Node) -> Firmware? {
        let allowed = "use bios, uefi, or { kernel: PATH, initrd: PATH, commandLine: TEXT }."
        if case .scalar(let scalar) = node {
            refuseAnchor(node, path: "firmware")
            switch scalar.string {
            case "bios": return .bios
            case "uefi": return .uefi
            default:
                note("firmware", "\(quoted(scalar.string)) is no firmware; \(allowed)", line: line(node))
                return nil
            }
        }
        guard let fields = fields(of: node, path: "firmware", allowed: ["kernel", "initrd", "commandLine"], otherwise: allowed)
        else { return nil }
        guard fields["kernel"] != nil else {
            note("firmware.kernel", "is missing; \(allowed)", line: line(node))
            return nil
        }
        guard let kernel = text(fields, "kernel", in: "firmware") else { return nil }
        return .kernel(
            path: kernel, initrd: text(fields, "initrd", in: "firmware"),
            commandLine: text(fields, "commandLine", in: "firmware", mayBeEmpty: true) ?? "")
    }

    private mutating func disks(_ fields: [String: Node]) -> [VMDisk] {
        list(fields, "disks", maximum: DefinitionRules.maximumDisks, noun: "disks").map { index, node in
            let path = "disks[\(index)]"
            let standIn = VMDisk(name: "unreadable-\(index)", byteCount: 1 << 20)
            guard let fields = self.fields(of: node, path: path, allowed: ["name", "size"]) else { return standIn }
            let name = required(fields, "name", in: path, hint: "the extent is called MACHINE/NAME.")
            let size = required(fields, "size", in: path, hint: "give it as \"20 GiB\".")
                .flatMap { mebibytes($0, path: path + ".size") }
            let bytes = size.map { $0.multipliedReportingOverflow(by: 1 << 20) }
            return VMDisk(
                name: name ?? standIn.name,
                byteCount: bytes.map { $0.overflow ? UInt64.max : $0.partialValue } ?? standIn.byteCount)
        }
    }

    private mutating func interfaces(_ fields: [String: Node], machine: UUID) -> [VMInterface] {
        list(fields, "networks", maximum: DefinitionRules.maximumInterfaces, noun: "network adapters").map { index, node in
            let path = "networks[\(index)]"
            let standIn = "unreadable-\(index)"
            var interface = VMInterface(name: standIn, mac: .derived(machine: machine, adapter: standIn), bridge: "br0")
            guard let fields = self.fields(of: node, path: path, allowed: ["name", "mac", "bridge"]) else { return interface }
            if let name = required(fields, "name", in: path, hint: "it tells the machine's adapters apart.") {
                interface.name = name
                interface.mac = .derived(machine: machine, adapter: name)
            }
            if let bridge = required(fields, "bridge", in: path, hint: "it names the bridge of the node to plug into.") {
                interface.bridge = bridge
            }
            guard let text = text(fields, "mac", in: path) else { return interface }
            if let mac = MACAddress(text) {
                interface.mac = mac
            } else {
                note(
                    path + ".mac", "\(quoted(text)) is no unicast MAC address; write it as 52:54:00:12:34:56 or leave it out.",
                    line: lines[path + ".mac"])
            }
            return interface
        }
    }

    private mutating func crashPolicy(_ node: Node) -> CrashPolicy? {
        guard let text = scalar(node, path: "onCrash") else { return nil }
        let policy = CrashPolicy(rawValue: text)
        if policy == nil { note("onCrash", "\(quoted(text)) is no policy; use restart or stop.", line: line(node)) }
        return policy
    }

    // MARK: Values

    private mutating func vcpus(_ node: Node, path: String) -> Int? {
        guard let text = scalar(node, path: path) else { return nil }
        guard (1...6).contains(text.utf8.count), text.utf8.allSatisfy(isDigit), let number = Int(text) else {
            note(path, "\(quoted(text)) is no number of vCPUs; use 1 to 64.", line: line(node))
            return nil
        }
        return number
    }

    private mutating func boolean(_ node: Node, path: String) -> Bool? {
        guard let text = scalar(node, path: path) else { return nil }
        switch text {
        case "true": return true
        case "false": return false
        default:
            note(path, "\(quoted(text)) is neither true nor false.", line: line(node))
            return nil
        }
    }

    /// Units are binary and written out: nobody can say whether `10G` means 10^10 or 10 * 2^30 bytes.
    private mutating func mebibytes(_ text: String, path: String) -> UInt64? {
        let digits = text.utf8.prefix(while: isDigit)
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        let factors: [Substring: UInt64] = ["MiB": 1, "GiB": 1 << 10, "TiB": 1 << 20]
        // Nine digits of TiB are below 2^50 MiB: nothing below can overflow.
        guard (1...9).contains(digits.count), let number = UInt64(String(text.prefix(digits.count))), let factor = factors[unit] else {
            note(path, "\(quoted(text)) is no size; write a whole number and MiB, GiB or TiB, as in 512 MiB.", line: lines[path])
            return nil
        }
        return number * factor
    }

    private mutating func required(_ fields: [String: Node], _ key: String, in path: String, hint: String) -> String? {
        if fields[key] == nil { note("\(path).\(key)", "is missing; \(hint)", line: lines[path]) }
        return text(fields, key, in: path)
    }

    private mutating func text(_ fields: [String: Node], _ key: String, in path: String = "", mayBeEmpty: Bool = false) -> String? {
        fields[key].flatMap { scalar($0, path: path.isEmpty ? key : "\(path).\(key)", mayBeEmpty: mayBeEmpty) }
    }

    // MARK: Nodes

    private mutating func scalar(_ node: Node, path: String, mayBeEmpty: Bool = false) -> String? {
        refuseAnchor(node, path: path)
        guard case .scalar(let scalar) = node else {
            note(path, "is a list or a group of fields; give one value.", line: line(node))
            return nil
        }
        if Self.isEmpty(node), !mayBeEmpty {
            note(path, "is empty; give a value or leave the field out.", line: line(node))
            return nil
        }
        return Self.isEmpty(node) ? "" : scalar.string
    }

    private mutating func fields(of node: Node, path: String, allowed: [String], otherwise: String? = nil) -> [String: Node]? {
        lines[path] = line(node)
        refuseAnchor(node, path: path)
        guard case .mapping(let mapping) = node else {
            note(path, otherwise ?? "is no group of fields; use \(allowed.joined(separator: ", ")).", line: line(node))
            return nil
        }
        var fields: [String: Node] = [:]
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key, allowed.contains(scalar.string) else {
                let shown = key.scalar.map { quoted($0.string) } ?? "a field whose name is no text"
                note(path, "\(shown) is not known here; known are \(allowed.joined(separator: ", ")).", line: line(key))
                continue
            }
            fields[scalar.string] = value
            lines[path.isEmpty ? scalar.string : "\(path).\(scalar.string)"] = line(key)
        }
        return fields
    }

    private mutating func list(_ fields: [String: Node], _ key: String, maximum: Int, noun: String) -> [(Int, Node)] {
        guard let node = fields[key] else { return [] }
        refuseAnchor(node, path: key)
        guard case .sequence(let sequence) = node else {
            note(key, "is no list; write [] for none, or one entry per line, each starting with a hyphen.", line: line(node))
            return []
        }
        if sequence.count > maximum {
            note(key, "\(sequence.count) \(noun); a machine has at most \(maximum).", line: lines[key])
        }
        return Array(sequence.prefix(maximum).enumerated()).map { ($0.offset, $0.element) }
    }

    /// Anchors exist only to be repeated by aliases; a definition in which lines stand for other lines is hard to review.
    private mutating func refuseAnchor(_ node: Node, path: String) {
        if node.anchor != nil { note(path, "uses a YAML anchor or alias; write the value out.", line: line(node)) }
    }

    private mutating func note(_ field: String, _ message: String, line: Int?) {
        guard problems.count < Self.maximumProblems else { return }
        problems.append(DefinitionProblem(fileName: fileName, line: line ?? 1, field: field, message: message))
    }

    private func line(_ node: Node) -> Int { max(1, node.mark?.line ?? 1) }

    /// The line of a field, else of the group it would stand in.
    private func line(ofField path: String) -> Int? {
        var path = path[...]
        while !path.isEmpty {
            if let line = lines[String(path)] { return line }
            path = path.lastIndex(of: ".").map { path[..<$0] } ?? ""
        }
        return lines[""]
    }
}

private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
