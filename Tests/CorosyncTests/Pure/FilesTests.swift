import Foundation
import Testing

@testable import Corosync

/// Every test in a folder of its own.
struct FilesTests: ~Copyable {
    private let folder: String
    private let files: CorosyncFiles

    init() throws {
        folder = NSTemporaryDirectory() + "corosync-files-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        files = CorosyncFiles(folder: folder)
    }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func put(_ text: String) throws { try text.write(toFile: files.configurationPath, atomically: false, encoding: .utf8) }
    private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }

    @Test("Both files are written whole, the key for root alone, and nothing else stays")
    func write() throws {
        #expect(try files.content() == .nothing)
        let key = CorosyncFiles.newKey()
        #expect(key.count == 256 && Set(key).count > 100)
        try files.write(sample(), key: key)
        #expect(try files.content() == .ours(sample()))
        #expect(try files.key() == key)
        #expect(try names() == ["authkey", "corosync.conf"])
        let mode = try FileManager.default.attributesOfItem(atPath: files.keyPath)[.posixPermissions] as? Int
        #expect(mode == 0o400)
        // The same again is no change; another content needs a higher version.
        try files.write(sample())
        #expect(throws: CorosyncFileError.notNewer(present: 7, new: 7)) { try files.write(sample(nodes: 2)) }
        #expect(throws: CorosyncFileError.notNewer(present: 7, new: 6)) { try files.write(sample(version: 6)) }
        try files.write(sample(nodes: 2, version: 8), key: CorosyncFiles.newKey())
        #expect(try files.content() == .ours(sample(nodes: 2, version: 8)))
        #expect(try files.key() != key)
    }

    @Test("What a crash left does not hinder, and is not written through")
    func leftovers() throws {
        let victim = folder + "/victim"
        try "precious".write(toFile: victim, atomically: false, encoding: .utf8)
        try FileManager.default.createSymbolicLink(atPath: files.configurationPath + ".new", withDestinationPath: victim)
        try files.write(sample())
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "precious")
        #expect(try files.content() == .ours(sample()))
    }

    @Test("A foreign file and its key stay as they are, whatever is asked")
    func foreign() throws {
        try put("totem {\n    cluster_name: pve\n}\n")
        try "their key".write(toFile: files.keyPath, atomically: false, encoding: .utf8)
        for replaces in [false, true] {
            #expect(throws: CorosyncFileError.notOurs(files.configurationPath)) {
                try files.write(sample(), key: CorosyncFiles.newKey(), replacesDamaged: replaces)
            }
        }
        #expect(throws: CorosyncFileError.notOurs(files.configurationPath)) { try files.remove() }
        #expect(try String(contentsOfFile: files.configurationPath, encoding: .utf8).contains("pve"))
        #expect(try files.key() == Array("their key".utf8))
        // Bytes that are no text at all.
        try Data([0xff, 0xfe, 0x00]).write(to: URL(fileURLWithPath: files.configurationPath))
        #expect(try files.content() == .foreign)
    }

    @Test("The file of another cluster of Apus is not replaced")
    func otherCluster() throws {
        try files.write(sample())
        var other = sample(version: 100)
        other.clusterID = UUID()
        #expect(throws: CorosyncFileError.otherCluster(files.configurationPath)) { try files.write(other) }
    }

    @Test("A damaged file of ours is replaced only on demand")
    func damaged() throws {
        try put(try sample().text().replacingOccurrences(of: "expected_votes: 4", with: "expected_votes: 9"))
        guard case .damaged = try files.content() else {
            Issue.record("\(try files.content())")
            return
        }
        #expect(throws: CorosyncFileError.self) { try files.write(sample(version: 8)) }
        try files.write(sample(version: 8), replacesDamaged: true)
        #expect(try files.content() == .ours(sample(version: 8)))
    }

    @Test("Debian's example gives way and is kept")
    func packageExample() throws {
        let example = "totem {\n\tcluster_name: debian\n}\nnodelist {\n\tnode {\n\t\tring0_addr: 127.0.0.1\n\t}\n}\n"
        try put(example)
        #expect(try files.content() == .packageExample)
        #expect(try files.remove() == false)
        try files.write(sample(), key: CorosyncFiles.newKey())
        #expect(try String(contentsOfFile: files.configurationPath + ".before-apus", encoding: .utf8) == example)
        #expect(try files.remove())
        #expect(try files.content() == .nothing)
        #expect(try files.key() == nil)
        #expect(try files.remove() == false)
    }

    @Test("A configuration that is not usable, or a key that is none, reaches no file")
    func invalid() throws {
        var bad = sample()
        bad.nodes[1].addresses = ["nonsense"]
        #expect(throws: CorosyncFileError.self) { try files.write(bad, key: CorosyncFiles.newKey()) }
        #expect(throws: CorosyncFileError.self) { try files.write(sample(), key: [1, 2, 3]) }
        #expect(try names() == [])
        // The folder is missing: told, with the path.
        let nowhere = CorosyncFiles(folder: folder + "/none")
        let error = #expect(throws: CorosyncFileError.self) { try nowhere.write(sample()) }
        #expect(error?.description.contains("/none/corosync.conf") == true)
    }
}
