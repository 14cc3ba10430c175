public import ClusterModel
import Foundation

extension VMDefinitionFile {
    /// The documented form of a definition, every field written out; ``parse(_:fileName:newID:)`` gives the same value back.
    public static func yaml(of definition: VMDefinition) -> String {
        var lines = [
            "name: \(plain(definition.name.rawValue))",
            "uuid: \(definition.id.uuidString.lowercased())",
            "memory: \(size(mebibytes: UInt64(clamping: definition.memoryMiB)))",
            "vcpus: \(definition.vcpus)",
            "cpu: \(plain(definition.cpuModel))",
            "machine: \(plain(definition.machineType))",
        ]
        switch definition.firmware {
        case .bios: lines.append("firmware: bios")
        case .uefi: lines.append("firmware: uefi")
        case .kernel(let path, let initrd, let commandLine):
            lines.append("firmware:")
            lines.append("  kernel: \(doubleQuoted(path))")
            if let initrd { lines.append("  initrd: \(doubleQuoted(initrd))") }
            lines.append("  commandLine: \(doubleQuoted(commandLine))")
        }
        lines.append(definition.disks.isEmpty ? "disks: []" : "disks:")
        for disk in definition.disks {
            lines.append("  - name: \(plain(disk.name))")
            lines.append("    size: \(size(mebibytes: disk.byteCount >> 20))")
        }
        lines.append(definition.interfaces.isEmpty ? "networks: []" : "networks:")
        for interface in definition.interfaces {
            lines.append("  - name: \(plain(interface.name))")
            lines.append("    mac: \(doubleQuoted(interface.mac.description))")
            lines.append("    bridge: \(plain(interface.bridge))")
        }
        lines.append("vnc: \(definition.vnc)")
        lines.append("onCrash: \(definition.onCrash.rawValue)")
        return lines.joined(separator: "\n") + "\n"
    }

    /// The largest unit that gives a whole number.
    private static func size(mebibytes: UInt64) -> String {
        if mebibytes > 0, mebibytes % (1 << 20) == 0 { return "\(mebibytes >> 20) TiB" }
        if mebibytes > 0, mebibytes % (1 << 10) == 0 { return "\(mebibytes >> 10) GiB" }
        return "\(mebibytes) MiB"
    }

    /// Unquoted where that reads back as the same text: letters, digits and hyphens, but not YAML's words for nothing.
    private static func plain(_ text: String) -> String {
        let safe = text.utf8.allSatisfy { byte in
            byte < 128 && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber || "-._".utf8.contains(byte))
        }
        let startsSafely = text.first.map { $0.isLetter || $0.isNumber } ?? false
        return safe && startsSafely && text.lowercased() != "null" ? text : doubleQuoted(text)
    }

    /// YAML 1.1 section 5.6: the escapes of double-quoted text.
    private static func doubleQuoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{20}"..."\u{7e}": result.unicodeScalars.append(scalar)
            default:  // beyond ASCII are line separators and the like; all of it is escaped
                let digits = String(scalar.value, radix: 16)
                result += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
            }
        }
        return result + "\""
    }
}
