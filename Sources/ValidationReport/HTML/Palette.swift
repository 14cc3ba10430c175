import Validation

/// The colours of the page. Few, because only verdicts should stand out, and each strong enough to be read: contrast by WCAG 2.1, 1.4.3.
struct Palette {
    var page: Int
    /// Behind tables and cards.
    var surface: Int
    var line: Int
    var text: Int
    /// For what explains rather than tells.
    var quiet: Int
    var link: Int
    /// The ink of charts.
    var chart: Int
    /// Text in the colour of each verdict.
    var pass: Int
    var warning: Int
    var failure: Int
    var cancelled: Int
    var notApplicable: Int
    /// Behind text in the colour of the verdict.
    var passTint: Int
    var warningTint: Int
    var failureTint: Int

    static let light = Palette(
        page: 0xffffff, surface: 0xf6f7f9, line: 0xd9dde3, text: 0x1b1f24, quiet: 0x59636e, link: 0x0a5cad, chart: 0x3b6ea5,
        pass: 0x1a6b34, warning: 0x8a4b00, failure: 0xb3201d, cancelled: 0x6b3fa0, notApplicable: 0x59636e,
        passTint: 0xeaf5ed, warningTint: 0xfdf3e1, failureTint: 0xfdeceb)

    static let dark = Palette(
        page: 0x14171b, surface: 0x1c2026, line: 0x353b44, text: 0xe7eaee, quiet: 0xa2abb6, link: 0x7cb8ff, chart: 0x7fb0e0,
        pass: 0x6fcf8a, warning: 0xf0b35a, failure: 0xff8a80, cancelled: 0xc6a3f5, notApplicable: 0xa2abb6,
        passTint: 0x17301f, warningTint: 0x382a12, failureTint: 0x411c1b)

    /// As custom properties of CSS.
    var declarations: String {
        let colors = [
            ("page", page), ("surface", surface), ("line", line), ("text", text), ("quiet", quiet), ("link", link), ("chart", chart),
            ("pass", pass), ("warning", warning), ("failure", failure), ("cancelled", cancelled), ("not-applicable", notApplicable),
            ("pass-tint", passTint), ("warning-tint", warningTint), ("failure-tint", failureTint),
        ]
        return colors.map { name, color in
            let digits = String(color, radix: 16)
            return "--\(name):#" + String(repeating: "0", count: 6 - digits.count) + digits
        }.joined(separator: ";")
    }
}
