import ClusterAPI
import Hummingbird

/// Validating a configuration.
extension Routes {
    func addValidationRoutes(to router: Router<APIContext>) {
        let operations = validation
        on(Endpoints.validationOffer, router) { _, _ in try await operations.validationOffer() }
        on(Endpoints.startValidation, router) { request, _ in try await operations.startValidation(request) }
        on(Endpoints.cancelValidation, router) { _, path in try await operations.cancelValidation(path.uuid("id")) }
        on(Endpoints.validationReport, router) { _, path in try await operations.validationReport(path.uuid("id")) }
        on(Endpoints.keptReports, router) { _, _ in try await operations.keptReports() }
        on(Endpoints.fetchReports, router) { notice, _ in
            try await operations.fetchReports(notice)
            return NoContent()
        }
        on(Endpoints.probe, router) { request, _ in try await operations.probe(request) }
        on(Endpoints.probeFree, router) { request, _ in try await operations.probeFree(request) }
        let heartbeat = limits.heartbeat
        register(Endpoints.followValidation.description, router) { request, path in
            .lines(of: try await operations.followValidation(path.uuid("id")), to: request, heartbeat: heartbeat)
        }
    }
}
