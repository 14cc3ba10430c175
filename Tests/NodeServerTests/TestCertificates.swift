import Foundation
import NodeIdentity

/// Identity folders as nodes and administrators get them, and those of another cluster.
struct TestCertificates: Sendable {
    let folder: String
    var n1: String { folder + "/n1" }
    var n2: String { folder + "/n2" }
    var administrator: String { folder + "/administrator" }
    /// A node n1 of another cluster.
    var foreign: String { folder + "/foreign" }

    static func with<Value>(_ body: (TestCertificates) async throws -> Value) async throws -> Value {
        let folder = try RunningServer.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let certificates = TestCertificates(folder: folder)
        try certificates.make(now: Date())
        return try await body(certificates)
    }

    private func make(now: Date) throws {
        let ours = try CertificateAuthority.create(cluster: "ours", now: now)
        let theirs = try CertificateAuthority.create(cluster: "theirs", now: now)
        try ours.issueNodeCertificate(node: "n1", addresses: ["127.0.0.1"], now: now).write(to: n1)
        try ours.issueNodeCertificate(node: "n2", addresses: ["127.0.0.2"], now: now).write(to: n2)
        try theirs.issueNodeCertificate(node: "n1", addresses: ["127.0.0.1"], now: now).write(to: foreign)
        try ours.issueAdministratorCertificate(administrator: "alice", now: now).writeAdministrator(to: administrator)
    }
}
