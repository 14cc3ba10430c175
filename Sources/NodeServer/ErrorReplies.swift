import ClusterAPI
import Hummingbird
import HummingbirdCore
import Logging
import NIOHTTP1

/// Turns every error into ``APIError`` JSON with its HTTP status.
struct ErrorReplies: RouterMiddleware {
    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            return .error(error)
        } catch let refused as RefusedRequest {
            return refused.closes ? .closing(refused.error, status: refused.status) : .error(refused.error, status: refused.status)
        } catch let error as HTTPError where error.status == .notFound {
            return Self.unknown(request)
        } catch let error as HTTPParserError {
            // Hummingbird answers with 400 and closes: after broken framing nothing on the connection can be trusted.
            throw error
        } catch is CancellationError {
            return .error(APIError(.unreachable, "The node service is stopping. Try again, or ask another node."))
        } catch {
            context.logger.error("a request failed unexpectedly", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return .error(APIError(.failed, "The node service failed to answer: \(error)."))
        }
    }

    /// No route: either the path is wrong, or only the method.
    private static func unknown(_ request: Request) -> Response {
        let path = request.uri.path
        let methods = Endpoints.all.filter { $0.matches(path: path) }.map(\.method.rawValue)
        guard !methods.isEmpty else {
            return .error(APIError(.notFound, "There is no \(path) here. /openapi.json describes what there is."))
        }
        let allowed = methods.joined(separator: ", ")
        var response = Response.error(
            APIError(.invalid, "\(request.method.rawValue) does not go with \(path). Use \(allowed)."), status: .methodNotAllowed)
        response.headers[.allow] = allowed
        return response
    }
}
