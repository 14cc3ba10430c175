import ClusterModel
import Foundation

extension ClusterState {
    mutating func renew(_ authority: ClusterAuthority, at place: CommandPlace) -> [ClusterEffect] {
        self.authority = authority
        tell(.certificateIssued, "The cluster has a new certificate authority.", at: place)
        return upNodes.map { .followCertificates(on: $0) }
    }

    mutating func record(_ certificate: IssuedCertificate, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        let serial = certificate.facts.serial
        guard certificates[serial] == nil else { throw .certificateKnown(serial) }
        if let node = certificate.node { _ = try member(node) }
        certificates[serial] = certificate
        // Long expired ones prove nothing any more and would only grow the state.
        let aWeek: Int64 = 7 * 86_400_000
        let horizon = place.time.rawValue.subtractingReportingOverflow(aWeek)
        if !horizon.overflow {
            for old in certificates.keys.sorted() where certificates[old].map({ $0.facts.notAfter.rawValue < horizon.partialValue }) == true
            {
                if old != serial { certificates[old] = nil }
            }
        }
        guard let node = certificate.node else {
            tell(.certificateIssued, "A certificate was issued for \(certificate.subject).", at: place)
            return []
        }
        nodes[node]?.certificate = certificate.facts
        tell(.certificateIssued, .information, node, "\(name(of: node)) has a new certificate.", at: place)
        return [.followCertificates(on: node)]
    }

    mutating func add(_ token: JoinToken, at place: CommandPlace) -> [ClusterEffect] {
        for hash in joinTokens.keys.sorted() where joinTokens[hash].map({ $0.expiresAt < place.time }) == true { joinTokens[hash] = nil }
        joinTokens[token.hash] = token
        return []
    }

    mutating func setCorosyncKey(_ key: Secret, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        // corosync-keygen(8) makes 256 bytes; totem takes 128 to 4,096.
        guard let bytes = Data(base64Encoded: key.exposed), (128...4_096).contains(bytes.count) else {
            throw .invalidSetting("A key for Corosync has 128 to 4096 bytes, as base64.")
        }
        corosyncKey = key
        tell(.certificateIssued, "The links between the nodes have a new key.", at: place)
        return membershipEffects
    }

    mutating func useToken(_ hash: String, _ node: NodeName, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        guard let token = joinTokens[hash] else { throw .unknownToken }
        if let only = token.node, only != node { throw .tokenForAnotherNode(only) }
        guard place.time <= token.expiresAt else { throw .tokenExpired }
        joinTokens[hash] = nil
        return []
    }

    mutating func begin(_ operation: PendingOperation, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        // One change of the membership at a time; several nodes may be drained together.
        let clashes = operations.values.contains {
            $0.id == operation.id || ($0.kind == operation.kind && ($0.subject == operation.subject || operation.kind != .drainNode))
        }
        guard !clashes else { throw .operationKnown }
        operations[operation.id.uuidString] = operation
        tell(.operationBegan, .information, operation.subject, "\(describe(operation)) began.", at: place)
        return []
    }

    mutating func advance(_ id: UUID, _ step: String) throws(CommandRejection) -> [ClusterEffect] {
        guard operations[id.uuidString] != nil else { throw .unknownOperation }
        operations[id.uuidString]?.step = step
        return []
    }

    mutating func end(_ id: UUID, _ problem: String?, at place: CommandPlace) throws(CommandRejection) -> [ClusterEffect] {
        guard let operation = operations[id.uuidString] else { throw .unknownOperation }
        operations[id.uuidString] = nil
        tell(
            .operationEnded, problem == nil ? .information : .error, operation.subject,
            "\(describe(operation)) \(problem == nil ? "is done" : "failed").", cause: problem, at: place)
        return []
    }

    private func describe(_ operation: PendingOperation) -> String {
        let subject = operation.subject.map { name(of: $0) }
        return switch operation.kind {
        case .addNode: "Adding \(subject ?? "a node")"
        case .evictNode: "Evicting \(subject ?? "a node")"
        case .replaceWitness: "Replacing the witness"
        case .drainNode: "Draining \(subject ?? "a node")"
        case .destroyCluster: "Destroying the cluster"
        }
    }
}
