import Testing

@testable import Validation

@Suite("Filters as nft tells them")
struct FilterTextTests {
    /// As nft 1.0.6 prints it, shortened.
    static let ruleset = """
        {"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "guard", "handle": 1}},
        {"chain": {"family": "inet", "table": "guard", "name": "inbound", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}},
        {"chain": {"family": "inet", "table": "guard", "name": "services", "handle": 2}},
        {"chain": {"family": "inet", "table": "guard", "name": "passing", "handle": 3, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "inet", "table": "guard", "name": "outbound", "handle": 4, "type": "filter", "hook": "output", "prio": 0, "policy": "drop"}},
        {"rule": {"family": "inet", "table": "guard", "chain": "inbound", "handle": 5, "expr": [{"match": {"op": "==", "left": {"payload":
        {"protocol": "ip", "field": "saddr"}}, "right": "10.71.0.1"}}, {"counter": {"packets": 0, "bytes": 0}}, {"drop": null}]}},
        {"rule": {"family": "inet", "table": "guard", "chain": "inbound", "handle": 6, "expr": [{"jump": {"target": "services"}}]}},
        {"rule": {"family": "inet", "table": "guard", "chain": "services", "handle": 7, "expr": [{"reject": {"type": "tcp reset"}}]}},
        {"rule": {"family": "inet", "table": "guard", "chain": "services", "handle": 8, "expr": ["xt", {"goto": {"target": "inbound"}}]}},
        {"rule": {"family": "inet", "table": "guard", "chain": "outbound", "handle": 9, "expr": [{"accept": null}]}}]}
        """

    @Test("Base chains that this node's packets pass, with what drops in them and in chains they jump to")
    func chains() throws {
        let chains = try FilterText.chains(Self.ruleset)
        #expect(chains.map(\.chain) == ["inbound", "outbound"])
        #expect(chains[0].droppingRules == 2 && !chains[0].dropsByDefault && chains[0].canDrop)
        #expect(chains[1].droppingRules == 0 && chains[1].dropsByDefault && chains[1].hook == "output")
    }

    @Test("An empty ruleset has none")
    func empty() throws { #expect(try FilterText.chains(#"{"nftables": [{"metainfo": {"version": "1.0.6"}}]}"#).isEmpty) }

    @Test(
        "Other text is refused",
        arguments: ["", "[]", "{}", "null", "{\"nftables\": 1}", "{\"nftables\": [1]}", "{\"nftables\": [{\"chain\": 1}]}"])
    func hostile(text: String) { #expect(throws: (any Error).self) { try FilterText.chains(text) } }

    @Test("IPv6 addresses that somebody had first")
    func duplicates() throws {
        let json =
            #"[{"ifname":"eth0","addr_info":[{"local":"fd00::1","prefixlen":64,"dadfailed":true},{"local":"fd00::2","prefixlen":64}]}]"#
        #expect(try NetworkText.duplicates(json) == ["fd00::1"])
        #expect(throws: (any Error).self) { try NetworkText.duplicates("{") }
    }
}
