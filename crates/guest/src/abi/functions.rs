//! Every host function: sections 2.2 to 2.6 (Proxy-Wasm), 2.7 (WASI) and 10.1 (Higress).

use super::ValueType::{self, I32, I64};
use super::{HostFunction, Namespace, Origin, Topic, Versions, ints};

const ALL: Versions = Versions::ALL;
const OLD: Versions = Versions::V0_1;
const NEW: Versions = Versions::SINCE_0_2_0;

/// Every function that the host knows.
///
/// Deviation from Envoy: `path_link` and `path_symlink` have their real preview 1 types, so that
/// modules importing them load.
pub const HOST_FUNCTIONS: &[HostFunction] = &[
    // 2.2 General
    env("proxy_log", ints(3), Topic::Logging, ALL),
    env(
        "proxy_get_log_level",
        ints(1),
        Topic::Logging,
        Versions::SINCE_0_2_1,
    ),
    env(
        "proxy_get_current_time_nanoseconds",
        ints(1),
        Topic::Timers,
        ALL,
    ),
    env(
        "proxy_set_tick_period_milliseconds",
        ints(1),
        Topic::Timers,
        ALL,
    ),
    env(
        "proxy_set_effective_context",
        ints(1),
        Topic::StreamControl,
        ALL,
    ),
    env("proxy_done", ints(0), Topic::StreamControl, ALL),
    env("proxy_get_status", ints(3), Topic::Callouts, ALL),
    env("proxy_get_configuration", ints(2), Topic::Properties, OLD),
    env("proxy_call_foreign_function", ints(6), Topic::Foreign, ALL),
    env("proxy_get_property", ints(4), Topic::Properties, ALL),
    env("proxy_set_property", ints(4), Topic::Properties, ALL),
    // 2.3 Stream control
    env("proxy_continue_stream", ints(1), Topic::StreamControl, NEW),
    env("proxy_close_stream", ints(1), Topic::StreamControl, NEW),
    env("proxy_continue_request", ints(0), Topic::StreamControl, OLD),
    env(
        "proxy_continue_response",
        ints(0),
        Topic::StreamControl,
        OLD,
    ),
    env(
        "proxy_clear_route_cache",
        ints(0),
        Topic::StreamControl,
        OLD,
    ),
    env(
        "proxy_send_local_response",
        ints(8),
        Topic::StreamControl,
        ALL,
    ),
    // 2.4 Buffers
    env("proxy_get_buffer_bytes", ints(5), Topic::Buffers, ALL),
    env("proxy_get_buffer_status", ints(3), Topic::Buffers, ALL),
    env("proxy_set_buffer_bytes", ints(5), Topic::Buffers, ALL),
    // 2.5 Header maps
    env("proxy_get_header_map_value", ints(5), Topic::Headers, ALL),
    env("proxy_add_header_map_value", ints(5), Topic::Headers, ALL),
    env(
        "proxy_replace_header_map_value",
        ints(5),
        Topic::Headers,
        ALL,
    ),
    env(
        "proxy_remove_header_map_value",
        ints(3),
        Topic::Headers,
        ALL,
    ),
    env("proxy_get_header_map_pairs", ints(3), Topic::Headers, ALL),
    env("proxy_set_header_map_pairs", ints(3), Topic::Headers, ALL),
    env("proxy_get_header_map_size", ints(2), Topic::Headers, ALL),
    // 2.6 Callouts, shared state, metrics
    env("proxy_http_call", ints(10), Topic::Callouts, ALL),
    env("proxy_grpc_call", ints(12), Topic::Grpc, ALL),
    env("proxy_grpc_stream", ints(9), Topic::Grpc, ALL),
    env("proxy_grpc_send", ints(4), Topic::Grpc, ALL),
    env("proxy_grpc_close", ints(1), Topic::Grpc, ALL),
    env("proxy_grpc_cancel", ints(1), Topic::Grpc, ALL),
    env("proxy_get_shared_data", ints(5), Topic::SharedData, ALL),
    env("proxy_set_shared_data", ints(5), Topic::SharedData, ALL),
    env("proxy_register_shared_queue", ints(3), Topic::Queues, ALL),
    env("proxy_resolve_shared_queue", ints(5), Topic::Queues, ALL),
    env("proxy_enqueue_shared_queue", ints(3), Topic::Queues, ALL),
    env("proxy_dequeue_shared_queue", ints(3), Topic::Queues, ALL),
    env("proxy_define_metric", ints(4), Topic::Metrics, ALL),
    env("proxy_increment_metric", &[I32, I64], Topic::Metrics, ALL),
    env("proxy_record_metric", &[I32, I64], Topic::Metrics, ALL),
    env("proxy_get_metric", ints(2), Topic::Metrics, ALL),
    // 1.3 What tool chains import, and 6.10 what Envoy adds
    env("pthread_equal", ints(2), Topic::Runtime, ALL),
    without_result(env(
        "emscripten_notify_memory_growth",
        ints(1),
        Topic::Runtime,
        ALL,
    )),
    env("envoy_resolve_dns", ints(3), Topic::Callouts, ALL),
    // 10.1 Higress
    higress("proxy_redis_init", ints(7), Topic::Redis),
    higress("proxy_redis_call", ints(5), Topic::Redis),
    higress(
        "proxy_inject_encoded_data_to_filter_chain",
        ints(3),
        Topic::Buffers,
    ),
    higress("proxy_get_upstream_hosts", ints(2), Topic::StreamControl),
    higress(
        "proxy_set_upstream_override_host",
        ints(2),
        Topic::StreamControl,
    ),
    // 2.7 WASI preview 1
    wasi("fd_write", ints(4), Topic::WasiDescriptors),
    wasi(
        "fd_pwrite",
        &[I32, I32, I32, I64, I32],
        Topic::WasiDescriptors,
    ),
    wasi("fd_read", ints(4), Topic::WasiDescriptors),
    wasi(
        "fd_pread",
        &[I32, I32, I32, I64, I32],
        Topic::WasiDescriptors,
    ),
    wasi("fd_seek", &[I32, I64, I32, I32], Topic::WasiDescriptors),
    wasi("fd_close", ints(1), Topic::WasiDescriptors),
    wasi("fd_fdstat_get", ints(2), Topic::WasiDescriptors),
    wasi("fd_fdstat_set_flags", ints(2), Topic::WasiDescriptors),
    wasi(
        "fd_fdstat_set_rights",
        &[I32, I64, I64],
        Topic::WasiDescriptors,
    ),
    wasi("fd_advise", &[I32, I64, I64, I32], Topic::WasiDescriptors),
    wasi("fd_allocate", &[I32, I64, I64], Topic::WasiDescriptors),
    wasi("fd_datasync", ints(1), Topic::WasiDescriptors),
    wasi("fd_sync", ints(1), Topic::WasiDescriptors),
    wasi("fd_filestat_set_size", &[I32, I64], Topic::WasiDescriptors),
    wasi(
        "fd_filestat_set_times",
        &[I32, I64, I64, I32],
        Topic::WasiDescriptors,
    ),
    wasi(
        "fd_readdir",
        &[I32, I32, I32, I64, I32],
        Topic::WasiDescriptors,
    ),
    wasi("fd_renumber", ints(2), Topic::WasiDescriptors),
    wasi("fd_tell", ints(2), Topic::WasiDescriptors),
    wasi("fd_filestat_get", ints(2), Topic::WasiDescriptors),
    wasi("fd_prestat_get", ints(2), Topic::WasiDescriptors),
    wasi("fd_prestat_dir_name", ints(3), Topic::WasiDescriptors),
    wasi(
        "path_open",
        &[I32, I32, I32, I32, I32, I64, I64, I32, I32],
        Topic::WasiPaths,
    ),
    wasi("path_filestat_get", ints(5), Topic::WasiPaths),
    wasi("path_create_directory", ints(3), Topic::WasiPaths),
    wasi("path_remove_directory", ints(3), Topic::WasiPaths),
    wasi("path_unlink_file", ints(3), Topic::WasiPaths),
    wasi(
        "path_filestat_set_times",
        &[I32, I32, I32, I32, I64, I64, I32],
        Topic::WasiPaths,
    ),
    wasi("path_readlink", ints(6), Topic::WasiPaths),
    wasi("path_link", ints(7), Topic::WasiPaths),
    wasi("path_symlink", ints(5), Topic::WasiPaths),
    wasi("path_rename", ints(6), Topic::WasiPaths),
    wasi("sock_accept", ints(3), Topic::WasiSockets),
    wasi("sock_recv", ints(6), Topic::WasiSockets),
    wasi("sock_send", ints(5), Topic::WasiSockets),
    wasi("sock_shutdown", ints(2), Topic::WasiSockets),
    wasi("args_sizes_get", ints(2), Topic::WasiEnvironment),
    wasi("args_get", ints(2), Topic::WasiEnvironment),
    wasi("environ_sizes_get", ints(2), Topic::WasiEnvironment),
    wasi("environ_get", ints(2), Topic::WasiEnvironment),
    of_weir(wasi("memory_map", ints(5), Topic::WasiDescriptors)),
    of_weir(wasi("memory_unmap", ints(2), Topic::WasiDescriptors)),
    wasi("clock_time_get", &[I32, I64, I32], Topic::WasiSystem),
    wasi("clock_res_get", ints(2), Topic::WasiSystem),
    wasi("random_get", ints(2), Topic::WasiSystem),
    wasi("sched_yield", ints(0), Topic::WasiSystem),
    wasi("poll_oneoff", ints(4), Topic::WasiSystem),
    without_result(wasi("proc_exit", ints(1), Topic::WasiSystem)),
];

const fn env(
    name: &'static str,
    params: &'static [ValueType],
    topic: Topic,
    versions: Versions,
) -> HostFunction {
    HostFunction {
        namespace: Namespace::Env,
        name,
        capability: name,
        params,
        other_params: None,
        results: ints(1),
        topic,
        versions,
        origin: Origin::Envoy,
    }
}

/// Higress links these for 0.2.1 and for its own version.
const fn higress(name: &'static str, params: &'static [ValueType], topic: Topic) -> HostFunction {
    let mut function = env(name, params, topic, Versions::SINCE_0_2_1);
    function.origin = Origin::Higress;
    function
}

const fn wasi(name: &'static str, params: &'static [ValueType], topic: Topic) -> HostFunction {
    let mut function = env(name, params, topic, ALL);
    function.namespace = Namespace::Wasi;
    function
}

const fn of_weir(mut function: HostFunction) -> HostFunction {
    function.origin = Origin::Weir;
    function
}

const fn without_result(mut function: HostFunction) -> HostFunction {
    function.results = &[];
    function
}
