import ClusterAPI
import Foundation

/// Certificate authorities and identities in a folder of their own, made with OpenSSL: other hands than those of our own code.
struct TestCertificates: Sendable {
    let folder: String
    /// Identity folders: of nodes n1 and n2, of an administrator, and of a node n1 of another cluster.
    var n1: String { folder + "/n1" }
    var n2: String { folder + "/n2" }
    var administrator: String { folder + "/administrator" }
    var foreign: String { folder + "/foreign" }

    static func with<Value>(_ body: (TestCertificates) async throws -> Value) async throws -> Value {
        let folder = try RunningServer.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let certificates = TestCertificates(folder: folder)
        try certificates.make()
        return try await body(certificates)
    }

    private func make() throws {
        // An administrator's certificate names a person, not a host.
        let script = """
            set -e; cd \(folder)
            authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout $1-key.pem -out $1.pem \
                -addext basicConstraints=critical,CA:TRUE; }
            identity() {  # folder authority names
                mkdir $1; cp $2.pem $1/ca-cert.pem
                openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout $1/node-key.pem -out $1/request.pem
                printf 'subjectAltName=%s\\nextendedKeyUsage=serverAuth,clientAuth\\n' "$3" > $1/extensions
                openssl x509 -req -in $1/request.pem -CA $2.pem -CAkey $2-key.pem -CAcreateserial -days 2 -extfile $1/extensions -out $1/node-cert.pem
            }
            authority ours; authority theirs
            identity n1 ours DNS:n1,IP:127.0.0.1
            identity n2 ours DNS:n2,IP:127.0.0.2
            identity administrator ours email:alice@example.org
            identity foreign theirs DNS:n1,IP:127.0.0.1
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw APIError(.failed, "openssl failed with \(process.terminationStatus)") }
    }
}
