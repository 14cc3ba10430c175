import AsyncHTTPClient
import ClusterAPI
import ClusterModel
import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// Who is called, for messages.
enum PeerName: Sendable, CustomStringConvertible {
    case socket(String)
    case node(NodeName?, address: String, port: Int)

    var description: String {
        switch self {
        case .socket(let path): "The node service at \(path)"
        case .node(let name?, let address, let port): "Node \(name) at \(address):\(port)"
        case .node(nil, let address, let port): "The node at \(address):\(port)"
        }
    }

    /// What a failed call means to whoever asked.
    func apiError(for error: any Error, deadline: Duration) -> APIError {
        switch error {
        case let error as APIError: return error
        case let error as HTTPClientError: return apiError(for: error, deadline: deadline)
        case let error as IOError: return unreachable(code: error.errnoCode)
        case is CancellationError: return APIError(.failed, "The call was cancelled before \(self) answered.")
        case let error as NIOConnectionError: return apiError(for: error)
        case let error as ChannelError:
            if case .connectTimeout = error { return unreachable("it does not take the connection in time") }
            return unreachable(String(describing: error))
        case is WrongPeer: return impostor
        case is WrongFingerprint: return replaced
        case let error as NIOSSLExtraError where error == .failedToValidateHostname: return impostor
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            return unreachable(
                "no trusted TLS connection (\(error)). Do both sides hold certificates of the same cluster, and are their clocks right?")
        default: return unreachable(String(describing: error))
        }
    }

    private func apiError(for error: HTTPClientError, deadline: Duration) -> APIError {
        switch error {
        case .deadlineExceeded, .readTimeout:
            return APIError(.timeout, "\(self) did not answer within \(Self.text(deadline)). What was asked may still be going on there.")
        case .connectTimeout, .getConnectionFromPoolTimeout: return unreachable("it does not take the connection in time")
        case .tlsHandshakeTimeout: return unreachable("it does not finish the TLS handshake")
        case .remoteConnectionClosed: return unreachable("it closed the connection before it answered")
        case .cancelled: return APIError(.failed, "The call was cancelled before \(self) answered.")
        case .alreadyShutdown: return APIError(.failed, "This client was closed.")
        default: return unreachable(error.shortDescription)
        }
    }

    private func apiError(for error: NIOConnectionError) -> APIError {
        guard let cause = error.connectionErrors.first?.error else { return unreachable("the name \(error.host) is not known here") }
        return (cause as? IOError).map { unreachable(code: $0.errnoCode) } ?? unreachable(String(describing: cause))
    }

    private func unreachable(code: CInt) -> APIError {
        switch (self, code) {
        case (.socket(let path), ENOENT), (.socket(let path), ECONNREFUSED):
            return APIError(
                .unreachable, "No node service answers at \(path). Is it running on this host? See: systemctl status apusd")
        case (.socket(let path), EACCES), (.socket(let path), EPERM):
            return APIError(.forbidden, "Only root may use \(path). Run the command as root.")
        default:
            return unreachable(String(cString: strerror(code)).lowercased())
        }
    }

    private func unreachable(_ reason: String) -> APIError {
        if case .socket = self { return APIError(.unreachable, "\(self) does not answer: \(reason).") }
        return APIError(.unreachable, "\(self) does not answer: \(reason). Check that the host is up and the cluster network joins it.")
    }

    /// Whoever answers at the address holds a good certificate of the cluster, but for another name.
    private var impostor: APIError {
        switch self {
        case .node(let name?, let address, let port):
            APIError(
                .unreachable,
                "What answers at \(address):\(port) is not node \(name): its certificate bears another name. "
                    + "Check the addresses in node.yaml.")
        default: APIError(.unreachable, "\(self) shows a certificate that does not bear this address. Call it by its name.")
        }
    }

    /// Whoever answers is not the node that made the token.
    private var replaced: APIError {
        APIError(
            .forbidden,
            "\(self) shows another certificate than its token says. Either the token is of an earlier installation of that node: make a "
                + "new one there with `apus node token`. Or somebody stands between: nothing was sent.")
    }

    private static func text(_ duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000
        return milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000) s" : "\(milliseconds) ms"
    }
}
