import Validation

/// A sign for each verdict, so that nothing depends on seeing colours. Defined once a page and used by name.
enum Icons {
    static let definitions = Markup.verbatim(
        """
        <svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>
        <symbol id="i-pass" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.75" stroke-width="1.5"></circle><path d="M5 8.3 7.1 10.4 11 5.9"></path></symbol>
        <symbol id="i-warning" viewBox="0 0 16 16"><path d="M8 1.8 15 14H1Z" stroke-width="1.5"></path><path d="M8 6.3v3.4M8 11.9v.1"></path></symbol>
        <symbol id="i-failure" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.75" stroke-width="1.5"></circle><path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8"></path></symbol>
        <symbol id="i-cancelled" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.75" stroke-width="1.5"></circle><path d="M6 6h4v4H6Z"></path></symbol>
        <symbol id="i-not-applicable" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.75" stroke-width="1.5" stroke-dasharray="2 2.2"></circle><path d="M5.4 8h5.2"></path></symbol>
        </defs></svg>

        """)

    static func icon(_ verdict: Verdict) -> Markup {
        .tag("svg", ["class": "icon", "aria-hidden": "true"]) { .tag("use", ["href": "#i-\(verdict.rawValue)"]) }
    }

    /// Sign and word.
    static func verdict(_ verdict: Verdict, _ words: String? = nil) -> Markup {
        .tag("span", ["class": "verdict v-\(verdict.rawValue)"]) {
            icon(verdict)
            " " + (words ?? verdict.title)
        }
    }
}
