import Foundation
import NodeIdentity
import Testing

@Suite("Tokens of nodes that shall join")
struct NodeTokenTests {
    static func token(node: String = "n2", address: String = "10.71.0.2") -> NodeToken {
        NodeToken(
            node: node, address: address, port: 7_060, fingerprint: (0..<32).map { UInt8($0) }, secret: (100..<116).map { UInt8($0) },
            expires: Date(timeIntervalSince1970: 1_800_000_000))
    }

    @Test("A token is read as it was written", arguments: ["10.71.0.2", "fd00::2", "2001:db8:1:2:3:4:5:6"])
    func roundTrip(address: String) throws {
        for name in ["n", "n2", String(repeating: "n", count: 63)] {
            let token = Self.token(node: name, address: address)
            let text = try token.text()
            #expect(try NodeToken(text) == token)
            #expect(text.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber) }, "one word for a double click: \(text)")
        }
    }

    @Test("Capitals, spaces and line ends do no harm")
    func copiedBadly() throws {
        let text = try Self.token().text()
        let middle = text.index(text.startIndex, offsetBy: 40)
        #expect(try NodeToken(" \(text[..<middle])\n\(text[middle...])\r\n".uppercased()) == Self.token())
    }

    @Test("Every single slip is noticed")
    func slips() throws {
        let text = Array(try Self.token().text())
        for index in 5..<text.count {
            var slip = text
            slip[index] = slip[index] == "a" ? "b" : "a"
            #expect(throws: TokenError.mistyped, "letter \(index)") { try NodeToken(String(slip)) }
            var shorter = text
            shorter.remove(at: index)
            #expect(throws: TokenError.mistyped, "without letter \(index)") { try NodeToken(String(shorter)) }
            if index + 1 < text.count, text[index] != text[index + 1] {
                var swapped = text
                swapped.swapAt(index, index + 1)
                #expect(throws: TokenError.mistyped, "letters \(index) and \(index + 1) swapped") { try NodeToken(String(swapped)) }
            }
        }
    }

    @Test(
        "What is no token is told apart",
        arguments: [
            ("", TokenError.notAToken), ("hello", .notAToken), ("apus", .otherVersion), ("apus2abc", .otherVersion), ("apus1", .mistyped),
            ("apus1abc", .mistyped), ("apus1!!!!", .mistyped), ("apus1" + String(repeating: "a", count: 900), .mistyped),
            (String(repeating: "apus1", count: 100_000), .notAToken), ("apus1é", .mistyped), ("apus1\u{0}\u{7F}", .mistyped),
        ])
    func noTokens(text: String, expected: TokenError) {
        #expect(throws: expected) { try NodeToken(text) }
    }

    @Test("Addresses and names that cannot be reached are not put into one")
    func unusable() {
        #expect(throws: IdentityError.self) { try Self.token(address: "n2.example").text() }
        #expect(throws: IdentityError.self) { try Self.token(node: "N 2").text() }
    }

    @Test("A secret is known by its hash alone")
    func secret() {
        let secret = JoinSecret.random(byteCount: 16)
        #expect(JoinSecret(secret).matches(secret))
        #expect(!JoinSecret(secret).matches(secret.dropLast()))
        #expect(!JoinSecret(secret).matches([]))
        #expect(JoinSecret(secret).digest != secret)
        #expect(JoinSecret.random(byteCount: 16) != secret)
    }

    @Test("A free node keeps its certificate, and makes a new one when it is damaged, old or of another name")
    func freeIdentity() throws {
        let folder = "/tmp/apus-free-\(UInt32.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let now = Date()
        let first = try FreeNodeIdentity.loadOrCreate(in: folder, node: "n1", now: now)
        #expect(try FreeNodeIdentity.loadOrCreate(in: folder, node: "n1", now: now) == first)
        #expect(try FreeNodeIdentity.loadOrCreate(in: folder, node: "n2", now: now) != first)
        let second = try FreeNodeIdentity.loadOrCreate(in: folder, node: "n2", now: now)
        #expect(try FreeNodeIdentity.loadOrCreate(in: folder, node: "n2", now: now.addingTimeInterval(364 * 86_400)) != second)
        try Data("-----BEGIN".utf8).write(to: URL(filePath: folder + "/free-key.pem"))
        let third = try FreeNodeIdentity.loadOrCreate(in: folder, node: "n2", now: now)
        #expect(try FreeNodeIdentity.loadOrCreate(in: folder, node: "n2", now: now) == third)
    }

    @Test("An authority survives its way through the replicated configuration")
    func authorityFiles() throws {
        let now = Date()
        let authority = try CertificateAuthority.create(cluster: "prod", now: now)
        let files = try authority.files()
        let again = try CertificateAuthority(files, now: now)
        #expect(try again.clusterRootPEM() == authority.clusterRootPEM())
        let other = try CertificateAuthority.create(cluster: "prod", now: now).files()
        var mixed = files
        mixed.clusterKey = other.clusterKey
        #expect(throws: IdentityError.self) { try CertificateAuthority(mixed, now: now) }
        mixed = files
        mixed.streamCertificate = "no certificate"
        #expect(throws: IdentityError.self) { try CertificateAuthority(mixed, now: now) }
        #expect(throws: IdentityError.self) { try CertificateAuthority(files, now: now.addingTimeInterval(11 * 365 * 86_400)) }
    }
}
