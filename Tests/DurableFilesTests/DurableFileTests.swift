import DurableFiles
import Foundation
import Testing

@Suite("Files that are replaced whole")
final class DurableFileTests {
    private let folder = NSTemporaryDirectory() + "durable-" + UUID().uuidString
    private var path: String { folder + "/file" }

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false) }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    @Test(
        "The new content and mode take the place of the old ones, and nothing is left beside them",
        arguments: [0o600, 0o644, 0o400] as [mode_t])
    func replaces(mode: mode_t) throws {
        try DurableFile.replace(path, with: Array("old".utf8))
        let large = [UInt8](repeating: 7, count: 1 << 20)
        try DurableFile.replace(path, with: large, mode: mode)
        #expect(try [UInt8](Data(contentsOf: URL(filePath: path))) == large)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == Int(mode))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["file"])
    }

    @Test("What a crash left, or somebody put there, is not written through")
    func leftovers() throws {
        let victim = folder + "/victim"
        try Data("precious".utf8).write(to: URL(filePath: victim))
        try FileManager.default.createSymbolicLink(atPath: path + ".new", withDestinationPath: victim)
        try DurableFile.replace(path, with: Array("new".utf8))
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "precious")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "new")
    }

    @Test("Where it cannot be done the old file stays, and the step and the reason are told")
    func failures() throws {
        try DurableFile.replace(path, with: Array("old".utf8))
        // A folder stands where the new file would be written.
        try FileManager.default.createDirectory(atPath: path + ".new", withIntermediateDirectories: false)
        let failure = #expect(throws: FileFailure.self) { try DurableFile.replace(path, with: Array("new".utf8)) }
        #expect(failure?.path == path && failure?.step == .create)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")

        let missing = #expect(throws: FileFailure.self) { try DurableFile.replace(folder + "/none/file", with: []) }
        #expect(missing?.code == ENOENT && "\(missing as Any)".contains("No such file"))

        // A folder cannot be replaced by a file.
        let taken = folder + "/taken"
        try FileManager.default.createDirectory(atPath: taken, withIntermediateDirectories: false)
        let refused = #expect(throws: FileFailure.self) { try DurableFile.replace(taken, with: []) }
        #expect(refused?.step == .rename)
        #expect(!FileManager.default.fileExists(atPath: taken + ".new"))
    }

    @Test("The folder of a name", arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b/c", "a/b")])
    func folders(path: String, folder: String) { #expect(DurableFile.folder(of: path) == folder) }
}
