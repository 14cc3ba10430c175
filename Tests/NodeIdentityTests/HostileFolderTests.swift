import Foundation
import Testing

@testable import NodeIdentity

/// Goal: a folder that is damaged, incomplete or mixed up is refused with the right reason, and never crashes the node service.
@Suite("Damaged identity folders")
struct HostileFolderTests {
    static let files = [
        "ca-cert.pem", "node-cert.pem", "node-key.pem", "qemu/ca-cert.pem", "qemu/server-cert.pem", "qemu/server-key.pem",
        "qemu/client-cert.pem", "qemu/client-key.pem",
    ]

    /// What may happen to a file's text.
    static let damages: [(name: String, apply: @Sendable (String) -> String)] = [
        ("empty", { _ in "" }),
        ("blank", { _ in "\n\n" }),
        ("cut in half", { String($0.prefix($0.count / 2)) }),
        ("without its end", { String($0.prefix(while: { $0 != "\n" })) }),
        ("not base 64", { $0.replacingOccurrences(of: "M", with: "*") }),
        (
            "other bytes in the middle",
            { text in
                let middle = text.index(text.startIndex, offsetBy: text.count / 2)
                return text[..<middle] + "AAAAAAAAAAAAAAAA" + text[middle...].dropFirst(16)
            }
        ),
        ("another label", { $0.replacingOccurrences(of: "BEGIN ", with: "BEGIN X") }),
        ("far too large", { String(repeating: $0, count: 400) }),
        ("a NUL", { "\0" + $0 }),
        ("an absurd DER length", { _ in "-----BEGIN CERTIFICATE-----\nMIT//////w==\n-----END CERTIFICATE-----\n" }),
    ]

    @Test("Every file, damaged in every way, is refused", arguments: files, 0..<damages.count)
    func damaged(file: String, damage: Int) throws {
        let folder = try TemporaryFolder()
        try writeNode(to: folder.path)
        let path = folder.path + "/" + file
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let damaged = Self.damages[damage].apply(text)
        try #require(damaged != text)
        try replace(path, with: damaged)
        let error = #expect(throws: IdentityError.self, "\(Self.damages[damage].name)") {
            try NodeIdentity.load(from: folder.path, node: "n1", now: issuedAt)
        }
        // The operator must be told which file it is.
        #expect(error?.description.contains(file.split(separator: "/").last ?? "") == true, "\(String(describing: error))")
    }

    @Test("A missing file is named", arguments: files) func missing(file: String) throws {
        let folder = try TemporaryFolder()
        try writeNode(to: folder.path)
        try FileManager.default.removeItem(atPath: folder.path + "/" + file)
        let error = #expect(throws: IdentityError.self) { try NodeIdentity.load(from: folder.path, node: "n1", now: issuedAt) }
        #expect(error?.description.contains("\(folder.path)/\(file)") == true)
    }

    @Test("A FIFO or a folder in place of a file is refused at once", arguments: [true, false]) func notAFile(isFIFO: Bool) throws {
        let folder = try TemporaryFolder()
        try writeNode(to: folder.path)
        let path = folder.path + "/node-key.pem"
        try FileManager.default.removeItem(atPath: path)
        try #require((isFIFO ? mkfifo(path, 0o600) : mkdir(path, 0o700)) == 0)
        #expect(throws: IdentityError.unreadable(path: path, reason: "it is not a regular file")) {
            try NodeIdentity.load(from: folder.path, node: "n1", now: issuedAt)
        }
    }

    @Test("A key that others can read is refused", arguments: [("node-key.pem", 0o640), ("qemu/client-key.pem", 0o644)])
    func openKey(file: String, mode: Int) throws {
        let folder = try TemporaryFolder()
        try writeNode(to: folder.path)
        let path = folder.path + "/" + file
        try #require(chmod(path, mode_t(mode)) == 0)
        #expect(throws: IdentityError.keyReadableByOthers(path: path, mode: UInt16(mode))) {
            try NodeIdentity.load(from: folder.path, node: "n1", now: issuedAt)
        }
    }

    @Test("Expired and not yet valid certificates are told apart") func clock() throws {
        let folder = try TemporaryFolder()
        try writeNode(to: folder.path)
        let path = folder.path + "/node-cert.pem"
        let end = issuedAt.addingTimeInterval(2 * 365 * 86_400)
        #expect(throws: IdentityError.expired(path: path, since: end)) {
            try NodeIdentity.load(from: folder.path, node: "n1", now: end.addingTimeInterval(1))
        }
        let start = issuedAt.addingTimeInterval(-3_600)
        #expect(throws: IdentityError.notYetValid(path: folder.path + "/ca-cert.pem", from: start)) {
            try NodeIdentity.load(from: folder.path, node: "n1", now: start.addingTimeInterval(-1))
        }
    }

    /// What an administrator copies wrongly, between folders of node n1 (this cluster), n2 (same cluster) and a cluster of the same name.
    enum Mistake: String, CaseIterable {
        case keyOfAnotherNode, filesOfAnotherNode, authorityOfAnotherCluster, leafOfAnotherCluster, certificateAndKeySwapped
        case nodeFilesAsQEMUFiles, qemuFilesAsNodeFiles, authorityAsNode, nodeAsAuthority, qemuFolderOfAnotherNode
    }

    @Test("Files that belong elsewhere are refused", arguments: Mistake.allCases) func mixedUp(mistake: Mistake) throws {
        let folder = try TemporaryFolder()
        let authority = try writeNode(to: folder.path + "/n1")
        try authority.issueNodeCertificate(node: "n2", addresses: [], now: issuedAt).write(to: folder.path + "/n2")
        try writeNode(cluster: "lab", to: folder.path + "/foreign")
        func copy(_ from: String, _ to: String) throws {
            try replace("\(folder.path)/n1/\(to)", with: String(contentsOfFile: "\(folder.path)/\(from)", encoding: .utf8))
        }
        switch mistake {
        case .keyOfAnotherNode: try copy("n2/node-key.pem", "node-key.pem")
        case .filesOfAnotherNode:
            try copy("n2/node-key.pem", "node-key.pem")
            try copy("n2/node-cert.pem", "node-cert.pem")
        case .authorityOfAnotherCluster: try copy("foreign/ca-cert.pem", "ca-cert.pem")
        case .leafOfAnotherCluster:
            try copy("foreign/node-key.pem", "node-key.pem")
            try copy("foreign/node-cert.pem", "node-cert.pem")
        case .certificateAndKeySwapped:
            try copy("n2/node-key.pem", "node-cert.pem")
            try copy("n2/node-cert.pem", "node-key.pem")
        case .nodeFilesAsQEMUFiles:
            try copy("n1/node-key.pem", "qemu/server-key.pem")
            try copy("n1/node-cert.pem", "qemu/server-cert.pem")
        case .qemuFilesAsNodeFiles:
            try copy("n1/qemu/ca-cert.pem", "ca-cert.pem")
            try copy("n1/qemu/server-key.pem", "node-key.pem")
            try copy("n1/qemu/server-cert.pem", "node-cert.pem")
        case .authorityAsNode: try copy("n1/ca-cert.pem", "node-cert.pem")
        case .nodeAsAuthority: try copy("n1/node-cert.pem", "ca-cert.pem")
        case .qemuFolderOfAnotherNode:
            for file in ["server-key.pem", "server-cert.pem", "client-key.pem", "client-cert.pem"] {
                try copy("n2/qemu/\(file)", "qemu/\(file)")
            }
        }
        let error = #expect(throws: IdentityError.self) {
            try NodeIdentity.load(from: folder.path + "/n1", node: "n1", now: issuedAt)
        }
        let isRightReason =
            switch (mistake, error) {
            case (.keyOfAnotherNode, .keyDoesNotMatch), (.authorityAsNode, .keyDoesNotMatch): true
            case (.filesOfAnotherNode, .wrongHolder), (.qemuFilesAsNodeFiles, .wrongHolder), (.qemuFolderOfAnotherNode, .wrongHolder): true
            case (.authorityOfAnotherCluster, .foreignAuthority), (.leafOfAnotherCluster, .foreignAuthority): true
            case (.nodeFilesAsQEMUFiles, .foreignAuthority): true
            case (.certificateAndKeySwapped, .malformed), (.nodeAsAuthority, .notAnAuthority): true
            default: false
            }
        #expect(isRightReason, "\(mistake): \(String(describing: error))")
    }

    @Test("A damaged authority is refused", arguments: ["ca-cert.pem", "ca-key.pem", "stream-ca-cert.pem", "stream-ca-key.pem"])
    func authority(file: String) throws {
        let folder = try TemporaryFolder()
        try CertificateAuthority.create(cluster: "lab", now: issuedAt).write(to: folder.path + "/a")
        try CertificateAuthority.create(cluster: "lab", now: issuedAt).write(to: folder.path + "/b")
        let path = folder.path + "/a/" + file
        try replace(path, with: String(contentsOfFile: folder.path + "/b/" + file, encoding: .utf8))
        #expect(throws: IdentityError.self) { try CertificateAuthority.load(from: folder.path + "/a", now: issuedAt) }
    }

    @Test(
        "Bytes that are no certificate name nobody",
        arguments: [[], [0x30], [0x30, 0x84, 0xff, 0xff, 0xff, 0xff], [UInt8](repeating: 0, count: 500)])
    func holderOfNothing(bytes: [UInt8]) { #expect(Holder(der: bytes) == nil) }
}
