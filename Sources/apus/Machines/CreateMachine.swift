import ArgumentParser
import ClusterAPI
import ClusterModel
import Foundation
import NodeClient
import VMDefinitions

struct CreateMachine: NodeQuestion {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a machine from a definition file. It is left stopped.",
        discussion: """
            The definition is YAML (or JSON). The least it needs:

              name: web
              memory: 2 GiB
              disks:
                - name: root
                  size: 20 GiB

            EXAMPLES
              apus vm create web.yaml
              apus vm create web.yaml --image debian-12.raw --volume csv1
              apus vm create - < web.yaml
            """)
    @Argument(help: "The definition; - reads standard input.", completion: .file(extensions: ["yaml", "yml", "json"])) var file: String
    @Option(
        help: ArgumentHelp("Write this raw image, a file on the node that is asked, into the first disk.", valueName: "raw"),
        completion: .file())
    var image: String?
    @Option(help: ArgumentHelp("The volume to put its disks on; without it the one with the most room.", valueName: "label"))
    var volume: String?
    @OptionGroup var connection: ConnectionOptions

    func run(asking client: NodeClient) async throws {
        let definition = try Self.definition(from: file)
        let status = try await client.createMachine(
            CreateMachineRequest(definition: definition, volume: volume, image: try imagePath()))
        try show(status) { "\(status.machine.name) was created. Start it with: apus vm start \(status.machine.name)" }
    }

    /// As the node will open it: relative paths are this command's own, and mean nothing to another host.
    private func imagePath() throws -> String? {
        guard let image else { return nil }
        if image.hasPrefix("/") { return image }
        guard connection.node == nil else {
            throw ValidationError("With --node the image is a file on that node; give its full path.")
        }
        return URL(fileURLWithPath: image).path
    }

    static func definition(from file: String) throws -> VMDefinition {
        let name = file == "-" ? "standard input" : file
        let data: Data
        var isFolder: ObjCBool = false
        if file != "-", FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), isFolder.boolValue {
            throw CommandFailure(message: "\(name) is a folder; name the definition file in it.")
        }
        do {
            // One byte more than is allowed: a device or a huge file by mistake must not fill the memory.
            let limit = VMDefinitionFile.maximumByteCount + 1
            let handle = file == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            var read = Data()
            while read.count < limit, let more = try handle.read(upToCount: limit - read.count), !more.isEmpty { read += more }
            data = read
        } catch {
            throw CommandFailure(message: "\(name) cannot be read: \(Self.reason(error))")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw CommandFailure(message: "\(name) is not UTF-8 text. A definition is a YAML file.")
        }
        do {
            return try VMDefinitionFile.parse(text, fileName: name)
        } catch {
            throw CommandFailure(message: error.description)
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile?, .fileNoSuchFile?: "there is no such file."
        case .fileReadNoPermission?: "permission denied."
        default: "\(error.localizedDescription)"
        }
    }
}
