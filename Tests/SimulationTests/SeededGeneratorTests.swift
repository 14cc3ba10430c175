import SeededRandom
import Testing

@Suite("Seeds")
struct SeededGeneratorTests {
    /// A batch of seeds is worth its number only if the runs differ: once, each was the next one's run, one draw later.
    @Test("Neighbouring seeds share no draws")
    func neighbours() {
        var draws: Set<UInt64> = []
        for seed in UInt64(0)..<500 {
            var generator = SeededGenerator(seed: seed)
            for _ in 0..<200 { draws.insert(generator.next()) }
        }
        #expect(draws.count == 500 * 200)
    }

    @Test("Draws below a bound reach all of it")
    func bounds() {
        var generator = SeededGenerator(seed: 1)
        let draws = (0..<1_000).map { _ in generator.below(13) }
        #expect(Set(draws) == Set(0..<13))
    }
}
