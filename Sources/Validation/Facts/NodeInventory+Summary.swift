extension NodeInventory {
    /// A line under the node's name: processor, memory, distribution. Unknown parts are left out.
    public var summary: String {
        var parts: [String] = []
        if let model = hardware.processors.model {
            parts.append(hardware.processors.threads.map { "\(model), \($0) threads" } ?? model)
        }
        if let bytes = hardware.memory.totalBytes { parts.append("\(ByteText.text(bytes)) memory") }
        if let name = software.distributionName { parts.append(name) }
        return parts.joined(separator: ", ")
    }
}

/// Amounts of bytes as people read them.
enum ByteText {
    /// `512 MiB`, `1.5 GiB`.
    static func text(_ bytes: UInt64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1_023.5, unit < units.count - 1 {
            value /= 1_024
            unit += 1
        }
        let tenths = (value * 10).rounded() / 10
        return value >= 9.95 || tenths == tenths.rounded() ? "\(Int(value.rounded())) \(units[unit])" : "\(tenths) \(units[unit])"
    }
}
