import ClusterModel
import Foundation

/// `lab.json`: what a lab was built from, for the commands that come later.
struct LabRecord: Hashable, Sendable, Codable {
    var description: LabDescription
    var tools: LabTools
    var credentials: SANCredentials
    var nodes: LabNodes
    /// Networks that are in parts, each with the nodes that are on a switch of their own.
    var splits: [LabNetwork: [[NodeName]]] = [:]
    /// False while it is being built.
    var isComplete: Bool

    static func read(_ folder: LabFolder) throws(LabError) -> LabRecord {
        guard let data = FileManager.default.contents(atPath: folder.description) else {
            if Files.exists(folder.description) {
                throw .refused("Only root may use lab \(folder.prefix). Use sudo.")
            }
            throw .refused("There is no lab \(folder.prefix). Start one with `apus lab up --prefix \(folder.prefix)`.")
        }
        do { return try JSONDecoder().decode(LabRecord.self, from: data) } catch {
            let cure = "end the lab with `apus lab down --prefix \(folder.prefix)`"
            throw .file(path: folder.description, reason: "is damaged; \(cure): \(error)")
        }
    }

    /// It holds the CHAP secret.
    func write(to folder: LabFolder) throws(LabError) { try Files.writeJSON(self, to: folder.description, mode: 0o600) }
}
