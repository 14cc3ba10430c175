import Foundation
import Subprocess
import Testing

@testable import NodeIdentity

/// What others make of our certificates. OpenSSL shares no code with the library that wrote them.
@Suite("OpenSSL's view of the certificates")
struct OpenSSLTests {
    private func openssl(_ arguments: [String]) async throws -> (isGood: Bool, text: String) {
        let result = try await run(
            .name("openssl"), arguments: Arguments(arguments), output: .string(limit: 65_536), error: .string(limit: 65_536))
        return (result.terminationStatus.isSuccess, result.standardOutput + result.standardError)
    }

    @Test(
        "Chains are confirmed for the purposes they are meant for, and no others",
        arguments: [
            ("ca-cert.pem", "node-cert.pem", "sslserver", true), ("ca-cert.pem", "node-cert.pem", "sslclient", true),
            ("qemu/ca-cert.pem", "qemu/server-cert.pem", "sslserver", true),
            ("qemu/ca-cert.pem", "qemu/client-cert.pem", "sslclient", true),
            ("ca-cert.pem", "admin-cert.pem", "sslclient", true), ("ca-cert.pem", "admin-cert.pem", "sslserver", false),
            // The two roots keep their worlds apart.
            ("ca-cert.pem", "qemu/client-cert.pem", "sslclient", false), ("qemu/ca-cert.pem", "node-cert.pem", "sslclient", false),
            ("qemu/ca-cert.pem", "admin-cert.pem", "sslclient", false), ("foreign/ca-cert.pem", "node-cert.pem", "sslserver", false),
        ])
    func chain(authority: String, certificate: String, purpose: String, expected: Bool) async throws {
        let folder = try TemporaryFolder()
        let root = folder.path
        let issuer = try writeNode(to: root)
        try writeNode(to: root + "/foreign")
        try replaceOrCreate(
            root + "/admin-cert.pem",
            with: issuer.issueAdministratorCertificate(administrator: "ada", now: issuedAt).certificatePEM)
        let answer = try await openssl([
            "verify", "-x509_strict", "-attime", "\(Int(issuedAt.timeIntervalSince1970))", "-purpose", purpose, "-no-CApath",
            "-CAfile", root + "/" + authority, root + "/" + certificate,
        ])
        #expect(answer.isGood == expected, "\(answer.text)")
    }

    @Test("Names and addresses are what a TLS client checks") func names() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path
        try writeNode(to: path)
        for (check, expected) in [
            (["-checkhost", "n1"], "does match"), (["-checkhost", "n2"], "does NOT match"), (["-checkip", "10.3.0.11"], "does match"),
            (["-checkip", "10.3.0.12"], "does NOT match"),
        ] {
            let answer = try await openssl(["x509", "-noout", "-in", path + "/node-cert.pem"] + check)
            #expect(answer.text.contains(expected), "\(check): \(answer.text)")
        }
    }

    private func replaceOrCreate(_ path: String, with text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }
}
