import FoundationEssentials
import Glibc
import SwiftASN1
import X509

/// Who the holder of a certificate is, as written in its subject's organizational unit.
public enum Role: String, Hashable, Sendable, CaseIterable {
    case node
    case administrator
    /// Only QEMU's memory streams; never allowed to call the API.
    case memoryStream = "memory-stream"
    var unit: String { rawValue }
}

/// The holder of a certificate that a TLS peer presented.
public struct Holder: Hashable, Sendable, CustomStringConvertible {
    public let role: Role
    /// The node's or the administrator's name.
    public let name: String
    public let cluster: String
    /// The certificate's serial number, hexadecimal: which of its holder's certificates it is.
    public let serial: String

    /// Reads who a certificate was issued to. TLS must have verified its chain already; this does not.
    ///
    /// - Parameter der: The peer's certificate, as swift-nio-ssl's `NIOSSLCertificate.toDERBytes()` gives it.
    /// - Returns: nil when the certificate is none of ours.
    public init?(der: [UInt8]) {
        guard let certificate = try? Certificate(derEncoded: der) else { return nil }
        self.init(certificate)
    }

    init?(_ certificate: Certificate) {
        guard let unit = certificate.subject.firstValue(of: .RDNAttributeType.organizationalUnitName), let role = Role(rawValue: unit),
            let name = certificate.commonName,
            let cluster = certificate.subject.firstValue(of: .RDNAttributeType.organizationName)
        else { return nil }
        self.role = role
        self.name = name
        self.cluster = cluster
        serial = certificate.serialText
    }

    public var description: String { "\(role.rawValue) \(name) of cluster \(cluster)" }
}

/// The octets of an IPv4 or IPv6 address in network order, as a certificate holds them (RFC 5280 section 4.2.1.6).
func ipOctets(_ text: String) -> [UInt8]? {
    for (family, length) in [(AF_INET, 4), (AF_INET6, 16)] {
        var octets = [UInt8](repeating: 0, count: length)
        if inet_pton(family, text, &octets) == 1 { return octets }
    }
    return nil
}
