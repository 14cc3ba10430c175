import ClusterAPI
import Hummingbird

/// Who belongs to the cluster.
extension Routes {
    func addFormingRoutes(to router: Router<APIContext>) {
        let operations = operations
        on(Endpoints.membership, router) { _, _ in try await operations.membership() }
        on(Endpoints.makeToken, router) { request, _ in try await operations.makeToken(request) }
        on(Endpoints.createCluster, router) { request, _ in try await operations.createCluster(request) }
        on(Endpoints.addNode, router) { request, _ in try await operations.addNode(request) }
        on(Endpoints.evictNode, router) { request, path in try await operations.evictNode(path.node(), request) }
        on(Endpoints.stopNode, router) { request, path in try await operations.stopNode(path.node(), request) }
        on(Endpoints.startNode, router) { _, path in try await operations.startNode(path.node()) }
        on(Endpoints.destroyCluster, router) { request, _ in try await operations.destroyCluster(request) }
        on(Endpoints.corosyncFiles, router) { _, _ in try await operations.corosyncFiles() }
        on(Endpoints.obey, router) { order, _ in
            try await operations.obey(order)
            return NoContent()
        }
        let heartbeat = limits.heartbeat
        register(Endpoints.followChange.description, router) { request, path in
            .lines(of: try await operations.followChange(path.uuid("id")), to: request, heartbeat: heartbeat)
        }
    }

    /// The cluster as a whole.
    func addClusterRoutes(to router: Router<APIContext>) {
        let operations = operations
        on(Endpoints.clusterStatus, router) { _, _ in try await operations.clusterStatus() }
        on(Endpoints.setQuorum, router) { request, _ in try await operations.setQuorum(request) }
        on(Endpoints.setWitness, router) { request, _ in try await operations.setWitness(request) }
        on(Endpoints.forceQuorum, router) { request, _ in try await operations.forceQuorum(request) }
        on(Endpoints.noteEvent, router) { request, _ in
            try request.check()
            try await operations.noteEvent(request)
            return NoContent()
        }
        on(Endpoints.events, router) { _, path in try await operations.events(after: path.number("after")) }
        let heartbeat = limits.heartbeat
        register(Endpoints.followEvents.description, router) { request, path in
            .lines(of: try await operations.followEvents(after: path.number("after")), to: request, heartbeat: heartbeat)
        }
    }

    func addJoinRoutes(to router: Router<APIContext>) {
        let operations = operations
        on(Endpoints.prepareJoin, router) { request, _ in try await operations.prepareJoin(request) }
        on(Endpoints.deliverMembership, router) { request, _ in
            try await operations.deliverMembership(request)
            return NoContent()
        }
        on(Endpoints.activateMembership, router) { request, _ in
            try await operations.activateMembership(request)
            return NoContent()
        }
        on(Endpoints.joinState, router) { request, _ in try await operations.joinState(request) }
        on(Endpoints.abortJoin, router) { request, _ in
            try await operations.abortJoin(request)
            return NoContent()
        }
    }
}
