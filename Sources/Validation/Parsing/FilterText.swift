import Foundation

/// Reads what nft(8) says.
public enum FilterText {
    /// `nft -json list ruleset` (libnftables-json(5)): the base chains through which this node's own packets pass.
    ///
    /// - Throws: When it is no such list.
    public static func chains(_ json: String) throws -> [FilterChainFacts] {
        let objects = try JSONDecoder().decode(Ruleset.self, from: Data(json.utf8)).nftables
        var drops: [Place: Int] = [:]
        var jumps: [Place: Set<String>] = [:]
        for rule in objects.compactMap(\.rule) {
            let place = Place(family: rule.family, table: rule.table, chain: rule.chain)
            for statement in rule.expr ?? [] {
                if statement.drops { drops[place, default: 0] += 1 }
                if let target = statement.jump { jumps[place, default: []].insert(target) }
            }
        }
        return objects.compactMap(\.chain).compactMap { chain in
            // Frames that only pass through belong to machines, not to the cluster.
            guard let hook = chain.hook, ["input", "output", "prerouting", "postrouting", "ingress", "egress"].contains(hook) else {
                return nil
            }
            let place = Place(family: chain.family, table: chain.table, chain: chain.name)
            return FilterChainFacts(
                family: chain.family, table: chain.table, chain: chain.name, hook: hook, dropsByDefault: chain.policy == "drop",
                droppingRules: reach(place, jumps).reduce(0) { $0 + (drops[$1] ?? 0) })
        }
    }

    /// A chain and all that it jumps to. Chains jump in circles only in texts that no kernel made, so each counts once.
    private static func reach(_ first: Place, _ jumps: [Place: Set<String>]) -> Set<Place> {
        var seen: Set<Place> = [first]
        var waiting = [first]
        while let place = waiting.popLast() {
            for name in jumps[place] ?? [] {
                let next = Place(family: place.family, table: place.table, chain: name)
                if seen.insert(next).inserted { waiting.append(next) }
            }
        }
        return seen
    }

    private struct Place: Hashable {
        var family: String
        var table: String
        var chain: String
    }
    private struct Ruleset: Decodable { var nftables: [Item] }
    private struct Item: Decodable {
        var chain: Chain?
        var rule: Rule?
    }
    private struct Chain: Decodable {
        var family: String
        var table: String
        var name: String
        var hook: String?
        var policy: String?
    }
    private struct Rule: Decodable {
        var family: String
        var table: String
        var chain: String
        var expr: [Statement]?
    }
    /// `{"drop": null}`, `{"reject": {...}}`, `{"jump": {"target": "name"}}`, or something that matters not here.
    private struct Statement: Decodable {
        var drops = false
        var jump: String?

        private struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
            init(_ name: String) { stringValue = name }
        }
        private struct Target: Decodable { var target: String }

        init(from decoder: any Decoder) throws {
            // In rules made by iptables, what nft cannot express is a text.
            guard let container = try? decoder.container(keyedBy: Key.self) else { return }
            drops = container.contains(Key("drop")) || container.contains(Key("reject"))
            for verb in ["jump", "goto"] where container.contains(Key(verb)) {
                jump = (try? container.decode(Target.self, forKey: Key(verb)))?.target
            }
        }
    }
}
