import Foundation
import Testing

@testable import NodeIdentity

/// A moment far from now, so that nothing can pass by looking at the clock.
let issuedAt = Date(timeIntervalSince1970: 1_900_000_000)

/// A folder that is removed when the test ends.
struct TemporaryFolder: ~Copyable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "apus-identity-\(getpid())-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            Issue.record("could not remove \(path): \(error)")
        }
    }
}

/// Writes the identity of node n1 of cluster lab and returns the authority.
@discardableResult
func writeNode(
    _ node: String = "n1", cluster: String = "lab", to folder: String, at now: Date = issuedAt
) throws -> CertificateAuthority {
    let authority = try CertificateAuthority.create(cluster: cluster, now: now)
    try authority.issueNodeCertificate(node: node, addresses: ["10.1.0.11", "10.3.0.11"], now: now).write(to: folder)
    return authority
}

func mode(of path: String) throws -> Int {
    let value = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
    return try #require((value as? NSNumber)?.intValue)
}

func replace(_ path: String, with text: String) throws {
    // Writing through the existing file keeps its mode.
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.truncate(atOffset: 0)
    try handle.write(contentsOf: Data(text.utf8))
    try handle.close()
}
