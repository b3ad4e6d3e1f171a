//! The names that properties have here, for those who write them down.

/// Properties whose whole name is known, by path with dots.
pub const KNOWN: [&str; 66] = [
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "plugin_vm_memory",
    "node",
    "route_name",
    "cluster_name",
    "connection_id",
    "listener_direction",
    "listener_metadata",
    "route_metadata",
    "cluster_metadata",
    "upstream_host_metadata",
    "metadata",
    "request.headers",
    "request.time",
    "request.duration",
    "request.protocol",
    "request.size",
    "request.total_size",
    "request.headers_bytes",
    "request.path",
    "request.url_path",
    "request.query",
    "request.host",
    "request.scheme",
    "request.method",
    "request.referer",
    "request.useragent",
    "request.id",
    "response.headers",
    "response.trailers",
    "response.code",
    "response.code_details",
    "response.flags",
    "response.grpc_status",
    "response.headers_bytes",
    "response.size",
    "response.total_size",
    "response.backend_latency",
    "source.address",
    "source.port",
    "destination.address",
    "destination.port",
    "connection.id",
    "connection.mtls",
    "connection.requested_server_name",
    "upstream.address",
    "upstream.port",
    "upstream.local_address",
    "upstream.transport_failure_reason",
    "upstream.request_attempt_count",
    "upstream.cx_pool_ready_duration",
    "upstream.num_endpoints",
    "xds.node",
    "xds.route_name",
    "xds.cluster_name",
    "xds.filter_chain_name",
    "xds.virtual_host_name",
    "xds.listener_direction",
    "xds.listener_metadata",
    "xds.route_metadata",
    "xds.cluster_metadata",
    "xds.upstream_host_metadata",
    "xds.upstream_host_locality_metadata",
    "xds.virtual_host_metadata",
];

/// Beginnings of names whose rest is a matter of headers, metadata or plugins.
const OPEN: [&str; 4] = [
    "filter_state",
    "request.headers",
    "response.headers",
    "response.trailers",
];

/// Whether this host has a property of the name, or one that holds it.
#[must_use]
pub fn is_known(name: &str) -> bool {
    let holds = |known: &&str| {
        name.strip_prefix(*known)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let is_group = |known: &&str| known.split('.').next() == Some(name);
    KNOWN
        .iter()
        .chain(&OPEN)
        .any(|known| holds(known) || is_group(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_what_is_below_them() {
        for name in [
            "request.path",
            "request",
            "request.headers.x-a",
            "node.id",
            "filter_state.wasm.a",
        ] {
            assert!(is_known(name), "{name}");
        }
        for name in ["request.pth", "sourceaddress", "source.addressx", "mine"] {
            assert!(!is_known(name), "{name}");
        }
    }
}
