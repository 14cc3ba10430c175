import ClusterModel
import Foundation
import Lab
import NodeClient

/// The node that is asked when no option names one.
enum HomeNode {
    /// The node service of this host, or what `APUS_SOCKET` names.
    case socket(String)
    /// On a host that is no node itself: the first node of the lab `lab` that runs.
    case lab(Lab, LabNode)

    static func find() async -> HomeNode {
        if let named = ProcessInfo.processInfo.environment["APUS_SOCKET"], !named.isEmpty { return .socket(named) }
        let own = NodeDirectories().apiSocket
        guard access(own, F_OK) != 0, access("/etc/apus/node.yaml", F_OK) != 0,
            // None, half built, or not ours to see: the error is then about this host's own service.
            let lab = try? await Lab.open(prefix: LabOptions.usualPrefix), let node = lab.nodes.first(where: \.isRunning)
        else { return .socket(own) }
        return .lab(lab, node)
    }

    var socket: String {
        switch self {
        case .socket(let path): path
        case .lab(_, let node): node.apiSocket
        }
    }

    /// So that nobody takes the lab for a cluster of his own; on standard error.
    func announce() {
        guard case .lab(_, let node) = self else { return }
        FileHandle.standardError.write(
            Data("apus: This host is no node. Asking \(node.name) of the lab; --socket or --node name another one.\n".utf8))
    }
}
