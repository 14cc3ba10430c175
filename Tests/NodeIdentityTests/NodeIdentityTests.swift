import Foundation
import Testing

@testable import NodeIdentity

@Suite("Identity folders")
struct NodeIdentityTests {
    @Test("What was written is loaded and is the node's")
    func roundTrip() throws {
        let folder = try TemporaryFolder()
        let authority = try writeNode(to: folder.path)
        let identity = try NodeIdentity.load(from: folder.path, node: "n1", now: issuedAt)
        #expect(identity.node == "n1")
        #expect(identity.cluster == "lab")
        #expect(identity.authorityPEM == (try authority.clusterRootPEM()))
        #expect(identity.qemuFolder == folder.path + "/qemu")
        #expect(identity.expires == issuedAt.addingTimeInterval(2 * 365 * 86_400))
    }

    @Test(
        "Keys are readable by those who need them only",
        arguments: [
            ("", 0o755), ("node-key.pem", 0o600), ("node-cert.pem", 0o644), ("qemu", 0o750), ("qemu/server-key.pem", 0o640),
            ("qemu/client-key.pem", 0o640),
        ])
    func modes(file: String, expected: Int) throws {
        let folder = try TemporaryFolder()
        try writeNode(to: folder.path)
        #expect(try mode(of: folder.path + "/" + file) == expected)
    }

    @Test("QEMU's files belong to the machines' group") func group() throws {
        let folder = try TemporaryFolder()
        let authority = try CertificateAuthority.create(cluster: "lab", now: issuedAt)
        try #require(getuid() == 0, "giving files to another group takes root")
        try authority.issueNodeCertificate(node: "n1", addresses: [], now: issuedAt).write(to: folder.path, machineGroup: 65_534)
        for file in ["qemu", "qemu/server-key.pem", "qemu/ca-cert.pem"] {
            let owner = try FileManager.default.attributesOfItem(atPath: folder.path + "/" + file)[.groupOwnerAccountID]
            #expect((owner as? NSNumber)?.intValue == 65_534, "\(file)")
        }
        let own = try FileManager.default.attributesOfItem(atPath: folder.path + "/node-key.pem")[.groupOwnerAccountID]
        #expect((own as? NSNumber)?.intValue != 65_534)
    }

    @Test("Writing again replaces everything and leaves no temporary file") func rewrite() throws {
        let folder = try TemporaryFolder()
        try writeNode(to: folder.path)
        let before = try NodeIdentity.load(from: folder.path, node: "n1", now: issuedAt)
        try writeNode(to: folder.path)
        let after = try NodeIdentity.load(from: folder.path, node: "n1", now: issuedAt)
        #expect(before.keyPEM != after.keyPEM)
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() == [
                "ca-cert.pem", "node-cert.pem", "node-key.pem", "qemu", "qemu/ca-cert.pem", "qemu/client-cert.pem", "qemu/client-key.pem",
                "qemu/dh-params.pem", "qemu/server-cert.pem", "qemu/server-key.pem",
            ])
    }

    @Test("An authority that was stored goes on issuing") func storedAuthority() throws {
        let folder = try TemporaryFolder()
        try CertificateAuthority.create(cluster: "lab", now: issuedAt).write(to: folder.path + "/authority")
        #expect(try mode(of: folder.path + "/authority") == 0o700)
        let authority = try CertificateAuthority.load(from: folder.path + "/authority", now: issuedAt)
        #expect(authority.cluster == "lab")
        try authority.issueNodeCertificate(node: "n2", addresses: ["fd00::12"], now: issuedAt).write(to: folder.path + "/n2")
        #expect(try NodeIdentity.load(from: folder.path + "/n2", node: "n2", now: issuedAt).cluster == "lab")
    }

    @Test("An administrator's identity is loaded, and is no node's") func administrator() throws {
        let folder = try TemporaryFolder()
        let authority = try CertificateAuthority.create(cluster: "lab", now: issuedAt)
        let issued = try authority.issueAdministratorCertificate(administrator: "ada", now: issuedAt)
        try issued.writeAdministrator(to: folder.path)
        let identity = try AdministratorIdentity.load(from: folder.path, now: issuedAt)
        #expect(identity.administrator == "ada")
        #expect(try mode(of: folder.path + "/admin-key.pem") == 0o600)
        // Copied under a node's name it must not make its holder a node.
        try writeNode("ada", to: folder.path)
        try replace(folder.path + "/node-cert.pem", with: issued.certificatePEM)
        try replace(folder.path + "/node-key.pem", with: issued.keyPEM)
        try replace(folder.path + "/ca-cert.pem", with: issued.authorityPEM)
        #expect(throws: IdentityError.self) { try NodeIdentity.load(from: folder.path, node: "ada", now: issuedAt) }
    }

    @Test(
        "Names and addresses that cannot stand in a certificate are refused",
        arguments: [
            ("", ["10.0.0.1"]), ("N1", []), ("n1.example", []), ("n1\nn2", []), (String(repeating: "a", count: 64), []), ("-n", []),
            ("n1", ["10.0.0"]), ("n1", ["10.0.0.1/24"]), ("n1", ["n2"]), ("n1", [""]),
        ])
    func refusedNames(node: String, addresses: [String]) throws {
        let authority = try CertificateAuthority.create(cluster: "lab", now: issuedAt)
        #expect(throws: IdentityError.self) { try authority.issueNodeCertificate(node: node, addresses: addresses, now: issuedAt) }
    }

    @Test("Certificates never outlive the authority, and a dying authority issues none") func lifetimes() throws {
        let authority = try CertificateAuthority.create(cluster: "lab", now: issuedAt)
        let end = issuedAt.addingTimeInterval(10 * 365 * 86_400)
        let late = try authority.issueNodeCertificate(node: "n1", addresses: [], now: end.addingTimeInterval(-30 * 86_400))
        #expect(late.api.expires == end)
        #expect(throws: IdentityError.authorityExpiresFirst(cluster: "lab", at: end)) {
            try authority.issueNodeCertificate(node: "n1", addresses: [], now: end.addingTimeInterval(-60))
        }
    }

    @Test("Renewal is advised in the last 30 days", arguments: [(31, false), (29, true), (0, true)])
    func renewal(daysLeft: Int, advised: Bool) throws {
        let folder = try TemporaryFolder()
        try writeNode(to: folder.path)
        let identity = try NodeIdentity.load(from: folder.path, node: "n1", now: issuedAt)
        let now = identity.expires.addingTimeInterval(-Double(daysLeft) * 86_400 - 60)
        #expect((identity.renewalAdvice(now: now) != nil) == advised)
    }
}
