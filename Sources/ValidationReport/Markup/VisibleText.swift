/// The text with everything made visible that would not show, or would change how its neighbours show.
///
/// Names come from disks, firmware and other nodes. A terminal obeys control characters, a browser turns text around after an override
/// (Unicode 9, UAX #9), and XML 1.0 forbids most of them (2.2). Tabs and line breaks stay.
public func visibleText(_ text: String) -> String {
    guard !text.unicodeScalars.allSatisfy({ isPlain($0) }) else { return text }
    var output = ""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case _ where isPlain(scalar): output.unicodeScalars.append(scalar)
        case 0...0x1f: output.unicodeScalars.append(Unicode.Scalar(UInt16(0x2400 + scalar.value)) ?? "\u{fffd}")  // control pictures
        case 0x7f: output += "\u{2421}"
        case 0xfffe, 0xffff: output += "\u{fffd}"
        default: output += "‹U+\(String(scalar.value, radix: 16, uppercase: true))›"
        }
    }
    return output
}

private func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09, 0x0a: true
    case 0...0x1f, 0x7f...0x9f: false
    case 0x061c, 0x200b, 0x200e, 0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff: false  // directions, overrides, invisible ones
    case 0xfff9...0xfffb, 0xfffe, 0xffff, 0xe0000...0xe007f: false
    default: scalar.value & 0xfffe != 0xfffe  // each plane ends with two that are no characters
    }
}

/// For a text or an attribute between double quotes. By scalars: a quote with a combining mark is another `Character`, and yet a quote.
func escaped(_ text: String) -> String {
    var output = ""
    for scalar in visibleText(text).unicodeScalars {
        switch scalar {
        case "&": output += "&amp;"
        case "<": output += "&lt;"
        case ">": output += "&gt;"
        case "\"": output += "&quot;"
        case "'": output += "&#39;"
        default: output.unicodeScalars.append(scalar)
        }
    }
    return output
}
