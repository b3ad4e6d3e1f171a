//! A script for each host function. Tests of processes read this file, too.

/// A host function, a script that calls it once, and the status that it answers with where it is
/// allowed. That is not 0 where the script has nothing for it to do.
pub(crate) type Row = (&'static str, &'static str, i32);

/// What the function of `row` answers where it is not listed: `status`, or, where it answers an address
/// and a failure is what is below 0, that as a negative number.
pub(crate) fn refused((name, _, _): &Row, status: i32) -> i32 {
    match *name {
        "memory_map" => -status,
        _ => status,
    }
}

/// The status in a line of a script: its second word.
pub(crate) fn status(line: &str) -> Option<i32> {
    let number: u32 = line.split(' ').nth(1)?.parse().ok()?;
    Some(number.cast_signed())
}

pub(crate) const ENVOY: &[Row] = &[
    ("proxy_get_log_level", "(log_level)", 0),
    ("proxy_get_current_time_nanoseconds", "(now)", 0),
    ("proxy_set_tick_period_milliseconds", "(tick_every 20)", 0),
    ("proxy_set_effective_context", "(effective 0)", 0),
    ("proxy_done", "(done_now)", 1),
    ("proxy_get_status", "(status)", 0),
    ("proxy_get_configuration", "(configuration)", 0),
    (
        "proxy_call_foreign_function",
        r#"(foreign "clear_route_cache" "")"#,
        0,
    ),
    ("proxy_get_property", r#"(prop "plugin_name")"#, 0),
    ("proxy_set_property", r#"(set_prop "a" "b")"#, 0),
    ("proxy_continue_stream", "(continue 1)", 0),
    ("proxy_close_stream", "(close 2)", 0),
    ("proxy_continue_request", "(continue_request)", 0),
    ("proxy_continue_response", "(continue_response)", 0),
    ("proxy_clear_route_cache", "(clear_route)", 0),
    (
        "proxy_send_local_response",
        r#"(reply 418 "d" "" "" -1)"#,
        0,
    ),
    ("proxy_get_buffer_bytes", "(read 6 0 9)", 0),
    ("proxy_get_buffer_status", "(length 6)", 0),
    ("proxy_set_buffer_bytes", r#"(write 6 0 9 "x")"#, 2),
    ("proxy_get_header_map_value", r#"(get 0 ":path")"#, 0),
    ("proxy_add_header_map_value", r#"(add 0 "x-leak" "1")"#, 0),
    (
        "proxy_replace_header_map_value",
        r#"(replace 0 "x-leak" "1")"#,
        0,
    ),
    ("proxy_remove_header_map_value", r#"(remove 0 "x-kept")"#, 0),
    ("proxy_get_header_map_pairs", "(pairs 0)", 0),
    ("proxy_set_header_map_pairs", r#"(set_pairs 2 "{a:b}")"#, 2),
    ("proxy_get_header_map_size", "(bytes_of 0)", 0),
    (
        "proxy_http_call",
        r#"(call "side" "{:method:GET;:path:/leak;:authority:s}" "" "" 1000)"#,
        0,
    ),
    (
        "proxy_grpc_call",
        r#"(grpc_call "dead2" "s" "m" "" "leak" 1000)"#,
        0,
    ),
    (
        "proxy_grpc_stream",
        r#"(grpc_stream "dead2" "s" "m" "")"#,
        0,
    ),
    ("proxy_grpc_send", r#"(grpc_send 6 "leak" 0)"#, 1),
    ("proxy_grpc_close", "(grpc_close 6)", 1),
    ("proxy_grpc_cancel", "(grpc_cancel 6)", 1),
    ("proxy_get_shared_data", r#"(get_shared "nothing")"#, 1),
    ("proxy_set_shared_data", r#"(set_shared "k" "v" 0)"#, 0),
    ("proxy_register_shared_queue", r#"(register "q")"#, 0),
    ("proxy_resolve_shared_queue", r#"(resolve "" "none")"#, 1),
    ("proxy_enqueue_shared_queue", r#"(enqueue 99999 "x")"#, 1),
    ("proxy_dequeue_shared_queue", "(dequeue 99999)", 1),
    ("proxy_define_metric", r#"(define 0 "table_leak")"#, 0),
    ("proxy_increment_metric", "(increment 400 1)", 1),
    ("proxy_record_metric", "(record 401 1)", 1),
    ("proxy_get_metric", "(metric 400)", 1),
    ("envoy_resolve_dns", r#"(env envoy_resolve_dns 0 1 64)"#, 12),
];

pub(crate) const HIGRESS: &[Row] = &[
    ("proxy_redis_init", r#"(redis_init "side" "" "" 100)"#, 0),
    ("proxy_redis_call", r#"(redis_call "side" "no command")"#, 2),
    (
        "proxy_inject_encoded_data_to_filter_chain",
        r#"(inject "leak" 0)"#,
        2,
    ),
    ("proxy_get_upstream_hosts", "(upstream_hosts)", 0),
    (
        "proxy_set_upstream_override_host",
        r#"(override_host "127.0.0.1:1")"#,
        0,
    ),
];

pub(crate) const WASI: &[Row] = &[
    ("fd_write", "(wasi fd_write 9 64 0 72)", 8),
    ("fd_pwrite", "(wasi fd_pwrite 9 64 0 0 72)", 8),
    ("fd_read", "(wasi fd_read 3 64 1 72)", 52),
    ("fd_pread", "(wasi fd_pread 3 64 1 0 72)", 52),
    ("fd_seek", "(wasi fd_seek 3 0 0 72)", 0),
    ("memory_map", "(wasi memory_map 3 0 65536 1 1)", -8),
    ("memory_unmap", "(wasi memory_unmap 0 0)", 28),
    ("fd_close", "(wasi fd_close 3)", 0),
    ("fd_fdstat_get", "(wasi fd_fdstat_get 1 64)", 0),
    ("fd_fdstat_set_flags", "(wasi fd_fdstat_set_flags 1 0)", 52),
    (
        "fd_fdstat_set_rights",
        "(wasi fd_fdstat_set_rights 1 0 0)",
        0,
    ),
    ("fd_advise", "(wasi fd_advise 1 0 0 0)", 0),
    ("fd_allocate", "(wasi fd_allocate 1 0 0)", 0),
    ("fd_datasync", "(wasi fd_datasync 1)", 0),
    ("fd_sync", "(wasi fd_sync 1)", 0),
    ("fd_filestat_set_size", "(wasi fd_filestat_set_size 1 0)", 0),
    (
        "fd_filestat_set_times",
        "(wasi fd_filestat_set_times 1 0 0 0)",
        0,
    ),
    ("fd_readdir", "(wasi fd_readdir 3 64 8 0 72)", 20),
    ("fd_renumber", "(wasi fd_renumber 1 3)", 58),
    ("fd_tell", "(wasi fd_tell 1 64)", 0),
    ("fd_filestat_get", "(wasi fd_filestat_get 3 128)", 8),
    ("fd_prestat_get", "(wasi fd_prestat_get 3 64)", 8),
    (
        "fd_prestat_dir_name",
        "(wasi fd_prestat_dir_name 3 64 8)",
        52,
    ),
    ("path_open", "(wasi path_open 3 0 64 1 0 0 0 0 72)", 44),
    (
        "path_filestat_get",
        "(wasi path_filestat_get 3 0 64 1 128)",
        58,
    ),
    (
        "path_create_directory",
        "(wasi path_create_directory 3 64 1)",
        58,
    ),
    (
        "path_remove_directory",
        "(wasi path_remove_directory 3 64 1)",
        58,
    ),
    ("path_unlink_file", "(wasi path_unlink_file 3 64 1)", 58),
    (
        "path_filestat_set_times",
        "(wasi path_filestat_set_times 3 0 64 1 0 0 0)",
        58,
    ),
    ("path_readlink", "(wasi path_readlink 3 64 1 72 1 80)", 58),
    ("path_link", "(wasi path_link 3 0 64 1 3 64 1)", 58),
    ("path_symlink", "(wasi path_symlink 64 1 3 64 1)", 58),
    ("path_rename", "(wasi path_rename 3 64 1 3 64 1)", 58),
    ("sock_accept", "(wasi sock_accept 3 0 64)", 58),
    ("sock_recv", "(wasi sock_recv 3 64 1 0 72 80)", 58),
    ("sock_send", "(wasi sock_send 3 64 1 0 72)", 58),
    ("sock_shutdown", "(wasi sock_shutdown 3 0)", 58),
    ("args_sizes_get", "(wasi args_sizes_get 64 72)", 0),
    ("args_get", "(wasi args_get 64 72)", 0),
    ("environ_sizes_get", "(wasi environ_sizes_get 64 72)", 0),
    ("environ_get", "(wasi environ_get 64 72)", 0),
    ("clock_time_get", "(wasi clock_time_get 0 0 64)", 0),
    ("clock_res_get", "(wasi clock_res_get 0 64)", 0),
    ("random_get", "(wasi random_get 64 8)", 0),
    ("sched_yield", "(wasi sched_yield)", 0),
    ("poll_oneoff", "(wasi poll_oneoff 64 72 1 80)", 0),
];
