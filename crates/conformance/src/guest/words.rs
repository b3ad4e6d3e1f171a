//! The words of scripts: host calls, parameters, callbacks that are traced.

/// What a host call gives back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gives {
    Nothing,
    Bytes,
    Pairs,
    Number,
    Long,
    /// Length and flags.
    Lengths,
    /// Bytes and version.
    Versioned,
    /// Code, then bytes.
    Coded,
    /// A number, also when the call fails.
    Token,
    /// Bytes, also when the call fails.
    Always,
    /// Bytes that are a number.
    Value,
}

/// Word, host function, result.
pub(crate) const CALLS: &[(&str, &str, Gives)] = &[
    ("get", "proxy_get_header_map_value", Gives::Bytes),
    ("add", "proxy_add_header_map_value", Gives::Nothing),
    ("replace", "proxy_replace_header_map_value", Gives::Nothing),
    ("remove", "proxy_remove_header_map_value", Gives::Nothing),
    ("pairs", "proxy_get_header_map_pairs", Gives::Pairs),
    ("pairs_raw", "proxy_get_header_map_pairs", Gives::Bytes),
    ("set_pairs", "proxy_set_header_map_pairs", Gives::Nothing),
    ("bytes_of", "proxy_get_header_map_size", Gives::Number),
    ("read", "proxy_get_buffer_bytes", Gives::Bytes),
    ("length", "proxy_get_buffer_status", Gives::Lengths),
    ("write", "proxy_set_buffer_bytes", Gives::Nothing),
    ("prop", "proxy_get_property", Gives::Bytes),
    ("prop_number", "proxy_get_property", Gives::Value),
    ("prop_pairs", "proxy_get_property", Gives::Pairs),
    ("set_prop", "proxy_set_property", Gives::Nothing),
    ("reply", "proxy_send_local_response", Gives::Nothing),
    ("continue", "proxy_continue_stream", Gives::Nothing),
    ("close", "proxy_close_stream", Gives::Nothing),
    ("continue_request", "proxy_continue_request", Gives::Nothing),
    (
        "continue_response",
        "proxy_continue_response",
        Gives::Nothing,
    ),
    ("clear_route", "proxy_clear_route_cache", Gives::Nothing),
    ("configuration", "proxy_get_configuration", Gives::Bytes),
    ("effective", "proxy_set_effective_context", Gives::Nothing),
    ("done_now", "proxy_done", Gives::Nothing),
    ("call", "proxy_http_call", Gives::Token),
    ("status", "proxy_get_status", Gives::Coded),
    (
        "tick_every",
        "proxy_set_tick_period_milliseconds",
        Gives::Nothing,
    ),
    ("get_shared", "proxy_get_shared_data", Gives::Versioned),
    ("set_shared", "proxy_set_shared_data", Gives::Nothing),
    ("register", "proxy_register_shared_queue", Gives::Number),
    ("resolve", "proxy_resolve_shared_queue", Gives::Number),
    ("enqueue", "proxy_enqueue_shared_queue", Gives::Nothing),
    ("dequeue", "proxy_dequeue_shared_queue", Gives::Bytes),
    ("define", "proxy_define_metric", Gives::Number),
    ("increment", "proxy_increment_metric", Gives::Nothing),
    ("record", "proxy_record_metric", Gives::Nothing),
    ("metric", "proxy_get_metric", Gives::Long),
    ("foreign", "proxy_call_foreign_function", Gives::Always),
    (
        "foreign_number",
        "proxy_call_foreign_function",
        Gives::Value,
    ),
    ("log_at", "proxy_log", Gives::Nothing),
    ("log_level", "proxy_get_log_level", Gives::Number),
    ("now", "proxy_get_current_time_nanoseconds", Gives::Long),
    ("grpc_call", "proxy_grpc_call", Gives::Token),
    ("grpc_stream", "proxy_grpc_stream", Gives::Token),
    ("grpc_send", "proxy_grpc_send", Gives::Nothing),
    ("grpc_close", "proxy_grpc_close", Gives::Nothing),
    ("grpc_cancel", "proxy_grpc_cancel", Gives::Nothing),
    ("resolve_dns", "envoy_resolve_dns", Gives::Token),
    ("redis_init", "proxy_redis_init", Gives::Nothing),
    ("redis_call", "proxy_redis_call", Gives::Token),
    (
        "inject",
        "proxy_inject_encoded_data_to_filter_chain",
        Gives::Nothing,
    ),
    ("upstream_hosts", "proxy_get_upstream_hosts", Gives::Pairs),
    (
        "override_host",
        "proxy_set_upstream_override_host",
        Gives::Nothing,
    ),
];

/// Names of parameters behind `$ctx`, by the end of the callback's name; the first that fits holds.
pub(crate) const PARAMETERS: &[(&str, &[&str])] = &[
    ("context_create", &["parent"]),
    ("vm_start", &["size"]),
    ("configure", &["size"]),
    ("validate_configuration", &["size"]),
    ("headers", &["n", "end"]),
    ("body", &["size", "end"]),
    ("downstream_data", &["size", "end"]),
    ("upstream_data", &["size", "end"]),
    ("connection_close", &["peer"]),
    ("grpc_receive_initial_metadata", &["token", "n"]),
    ("grpc_receive_trailing_metadata", &["token", "n"]),
    ("grpc_receive", &["token", "size"]),
    ("grpc_close", &["token", "status"]),
    ("trailers", &["n"]),
    ("metadata", &["n"]),
    ("http_call_response", &["token", "n", "size", "trailers"]),
    ("redis_call_response", &["token", "status", "size"]),
    ("queue_ready", &["token"]),
    ("foreign_function", &["token", "size"]),
    ("resolve_dns", &["token", "size"]),
    ("stats_update", &["size"]),
];

/// Callbacks that `(trace)` adds.
pub(crate) const TRACED: &[&str] = &[
    "context_create",
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
    "new_connection",
    "downstream_data",
    "upstream_data",
    "downstream_connection_close",
    "upstream_connection_close",
    "log",
    "done",
    "delete",
];
