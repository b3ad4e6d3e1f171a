//! The words of scripts: host calls, parameters, callbacks that are traced.

/// What a host call gives back.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Gives {
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
pub(super) const CALLS: &[(&str, &str, Gives)] = &[
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
    ("grpc_call", "proxy_grpc_call", Gives::Token),
    ("grpc_stream", "proxy_grpc_stream", Gives::Token),
    ("grpc_send", "proxy_grpc_send", Gives::Nothing),
    ("grpc_close", "proxy_grpc_close", Gives::Nothing),
    ("grpc_cancel", "proxy_grpc_cancel", Gives::Nothing),
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
    ("log_level", "proxy_get_log_level", Gives::Number),
    ("log_at", "proxy_log", Gives::Nothing),
];

/// Names of parameters behind `$ctx`, by the end of the callback's name.
pub(super) const PARAMETERS: &[(&str, &[&str])] = &[
    ("context_create", &["parent"]),
    ("vm_start", &["size"]),
    ("configure", &["size"]),
    ("grpc_receive_initial_metadata", &["token", "n"]),
    ("grpc_receive_trailing_metadata", &["token", "n"]),
    ("grpc_receive", &["token", "size"]),
    ("grpc_close", &["token", "code"]),
    ("headers", &["n", "end"]),
    ("body", &["size", "end"]),
    ("trailers", &["n"]),
    ("http_call_response", &["token", "n", "size", "trailers"]),
    ("queue_ready", &["token"]),
    ("stream_data", &["size", "end"]),
    ("connection_close", &["peer"]),
];

/// Callbacks that `(trace)` adds.
pub(super) const TRACED: &[&str] = &[
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
