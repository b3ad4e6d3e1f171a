//! Every callback: section 3.1, Envoy's extras of 6.10 and Higress's of 10.1.

use super::{Callback, Origin, ValueType, Versions, ints};

/// Every callback that a host of some version calls. The headers callbacks stand here twice: they
/// have two parameters in 0.1.0 and three later.
pub const CALLBACKS: &[Callback] = &[
    event("proxy_on_context_create", 2),
    answer("proxy_on_vm_start", 2),
    answer("proxy_on_configure", 2),
    answer("proxy_validate_configuration", 2),
    event("proxy_on_tick", 1),
    answer("proxy_on_done", 1),
    event("proxy_on_log", 1),
    event("proxy_on_delete", 1),
    only(answer("proxy_on_request_headers", 2), Versions::V0_1),
    only(answer("proxy_on_request_headers", 3), Versions::SINCE_0_2_0),
    answer("proxy_on_request_body", 3),
    answer("proxy_on_request_trailers", 2),
    answer("proxy_on_request_metadata", 2),
    only(answer("proxy_on_response_headers", 2), Versions::V0_1),
    only(
        answer("proxy_on_response_headers", 3),
        Versions::SINCE_0_2_0,
    ),
    answer("proxy_on_response_body", 3),
    answer("proxy_on_response_trailers", 2),
    answer("proxy_on_response_metadata", 2),
    answer("proxy_on_new_connection", 1),
    answer("proxy_on_downstream_data", 3),
    answer("proxy_on_upstream_data", 3),
    event("proxy_on_downstream_connection_close", 2),
    event("proxy_on_upstream_connection_close", 2),
    event("proxy_on_http_call_response", 5),
    event("proxy_on_grpc_receive_initial_metadata", 3),
    event("proxy_on_grpc_receive", 3),
    event("proxy_on_grpc_receive_trailing_metadata", 3),
    event("proxy_on_grpc_close", 3),
    event("proxy_on_queue_ready", 2),
    only(event("proxy_on_foreign_function", 3), Versions::SINCE_0_2_0),
    event("envoy_on_resolve_dns", 3),
    event("envoy_on_stats_update", 2),
    higress(event("proxy_on_redis_call_response", 4)),
    weir(event("wasi_map_on_change", 2)),
    on_release(),
];

/// A callback without result.
const fn event(name: &'static str, params: usize) -> Callback {
    Callback {
        name,
        params: ints(params),
        results: &[],
        versions: Versions::ALL,
        origin: Origin::Envoy,
    }
}

/// A callback with a result.
const fn answer(name: &'static str, params: usize) -> Callback {
    let mut callback = event(name, params);
    callback.results = ints(1);
    callback
}

const fn only(mut callback: Callback, versions: Versions) -> Callback {
    callback.versions = versions;
    callback
}

const fn higress(mut callback: Callback) -> Callback {
    callback.versions = Versions::SINCE_0_2_1;
    callback.origin = Origin::Higress;
    callback
}

/// WASI-Map: any version of the ABI calls it.
const fn weir(mut callback: Callback) -> Callback {
    callback.origin = Origin::Weir;
    callback
}

const fn on_release() -> Callback {
    let mut callback = weir(event("wasi_map_on_release", 0));
    callback.params = &[ValueType::I64];
    callback
}
