import Testing

@testable import Forming

@Suite("The tokens a node has shown")
struct TokenBookTests {
    let now = ContinuousClock.now
    let secret = (0..<16).map { UInt8($0) }

    @Test("A token works once")
    func once() throws {
        var book = TokenBook()
        book.add(secret: secret, expires: now + .seconds(60))
        _ = try book.spend(secret: secret, now: now)
        #expect(throws: TokenBook.Refusal.spent) { try book.spend(secret: secret, now: now) }
    }

    @Test("It works again when the join was taken back, as long as it lasts")
    func givenBack() throws {
        var book = TokenBook()
        book.add(secret: secret, expires: now + .seconds(60))
        let id = try book.spend(secret: secret, now: now)
        book.giveBack(id)
        #expect(try book.spend(secret: secret, now: now + .seconds(59)) == id)
        book.giveBack(id)
        #expect(throws: TokenBook.Refusal.expired) { try book.spend(secret: secret, now: now + .seconds(60)) }
    }

    @Test("Guessing is not looked at for long, and does not lock the right one out")
    func guessing() throws {
        var book = TokenBook()
        book.add(secret: secret, expires: now + .seconds(3_600))
        for _ in 0..<TokenBook.mostFailures {
            #expect(throws: TokenBook.Refusal.unknown) { try book.spend(secret: [1], now: now) }
        }
        #expect(throws: TokenBook.Refusal.tooMany) { try book.spend(secret: [1], now: now) }
        #expect(throws: TokenBook.Refusal.unknown) { try book.spend(secret: [1], now: now + .seconds(61)) }
        _ = try book.spend(secret: secret, now: now)
    }

    @Test("The oldest goes when there are too many")
    func many() {
        var book = TokenBook()
        book.add(secret: secret, expires: now + .seconds(60))
        for number in 0..<TokenBook.most { book.add(secret: [UInt8(number)], expires: now + .seconds(60)) }
        #expect(throws: TokenBook.Refusal.unknown) { try book.spend(secret: secret, now: now) }
    }
}
