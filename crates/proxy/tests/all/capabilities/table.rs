//! Every host function: allowed by its name it works, not listed it answers as documented, and
//! nothing of what it would do is done.

use std::collections::BTreeSet;

use weir_guest::abi::{HOST_FUNCTIONS, Namespace, Topic};
use weir_model::Strictness;

use crate::guest::guest;
use crate::stage::{GET, Stage, is_oracle, with};

/// A host function, a script that calls it once, and the status that it answers with where it is
/// allowed. That is not 0 where the script has nothing for it to do.
type Row = (&'static str, &'static str, i32);

const ENVOY: &[Row] = &[
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

const HIGRESS: &[Row] = &[
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

const WASI: &[Row] = &[
    ("fd_write", "(wasi fd_write 9 64 0 72)", 8),
    ("fd_pwrite", "(wasi fd_pwrite 9 64 0 0 72)", 8),
    ("fd_read", "(wasi fd_read 3 64 1 72)", 52),
    ("fd_pread", "(wasi fd_pread 3 64 1 0 72)", 52),
    ("fd_seek", "(wasi fd_seek 3 0 0 72)", 0),
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

/// What has no status to be told by the others: `proxy_log` tells it, and `proc_exit` has none.
const APART: [&str; 2] = ["proxy_log", "proc_exit"];

const TOLD_BY: [&str; 2] = ["proxy_log", "proxy_on_request_headers"];

fn stage(script: &str, capabilities: &[&str]) -> Stage {
    let names = TOLD_BY.iter().chain(capabilities);
    let names = names.map(|name| (*name).to_owned()).collect();
    let script = format!("(request_headers (say \"begin\") {script})");
    with(guest(&script)).tune(|filter| {
        filter.capabilities = Some(names);
        filter.strictness = Strictness::Tolerant;
    })
}

/// The statuses in the lines behind the first: the second word of each.
fn statuses(lines: &[String]) -> Vec<i32> {
    let status = |line: &String| line.split(' ').nth(1)?.parse().ok();
    lines
        .iter()
        .skip(1)
        .map(|line| status(line).unwrap_or_else(|| panic!("no status in {line:?}")))
        .collect()
}

#[test]
fn the_table_has_every_host_function() {
    let all = HOST_FUNCTIONS
        .iter()
        .filter(|function| function.topic != Topic::Runtime);
    let all: BTreeSet<&str> = all.map(|function| function.name).collect();
    let rows = [ENVOY, HIGRESS, WASI].concat();
    let rows: BTreeSet<&str> = rows.iter().map(|row| row.0).chain(APART).collect();
    assert_eq!(all, rows);
}

#[test]
fn each_function_works_by_its_name() {
    if is_oracle() {
        return;
    }
    for (name, script, expected) in [ENVOY, HIGRESS, WASI].concat() {
        let gateway = stage(script, &[name]).start();
        gateway.ask(GET);
        let lines = gateway.logs_when(0, 2);
        assert_eq!(statuses(&lines), [expected], "{name}: {lines:?}");
    }
}

/// All rows in one guest that may call none of them.
fn check_none(rows: &[Row], namespace: Namespace) {
    let expected = match namespace {
        Namespace::Env => 10,
        Namespace::Wasi => 76,
    };
    let script: String = rows.iter().map(|row| row.1).collect();
    let gateway = stage(&script, &[]).start();
    let response = gateway.ask("GET /p HTTP/1.1\r\nhost: h\r\nx-kept: 1\r\n\r\n");
    assert_eq!(response.brief(), (200, "ok"));
    let lines = gateway.logs_when(0, rows.len() + 1);
    assert_eq!(statuses(&lines), vec![expected; rows.len()], "{lines:#?}");
    // Nothing of it was done: the request goes as it came, and no callout was sent.
    let request = gateway.upstream.until(|_| true).head;
    assert!(request.contains("x-kept: 1"), "{request}");
    assert!(!request.contains("leak"), "{request}");
    assert!(gateway.side.seen().is_empty());
    // Each is noted by its name, and nothing else.
    let touched = gateway.touched(0);
    let refused: BTreeSet<String> = touched.into_iter().map(|(_, name, _)| name).collect();
    let names: BTreeSet<String> = rows.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(refused, names);
}

#[test]
fn functions_that_are_not_listed_do_nothing() {
    if is_oracle() {
        return;
    }
    check_none(ENVOY, Namespace::Env);
    check_none(HIGRESS, Namespace::Env);
    check_none(WASI, Namespace::Wasi);
}

#[test]
fn logging_and_exit_are_functions_like_others() {
    let script = r#"(request_headers (log_at 2 "leak")
        (if (i32.eq (global.get $status) 10) (then (!add 0 "x-log" "10"))))"#;
    let may = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        with(guest(script)).tune(|filter| filter.capabilities = Some(names))
    };
    let gateway = may(&["proxy_on_request_headers", "proxy_add_header_map_value"]).start();
    gateway.ask(GET);
    let request = gateway.upstream.until(|_| true).head;
    assert!(request.contains("x-log: 10"), "{request}");
    gateway.check(0, &[]);
    if is_oracle() {
        return;
    }
    let exits = "(request_headers (wasi proc_exit 3) (say \"on\"))";
    let lines = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let stage = with(guest(exits)).tune(|filter| filter.capabilities = Some(names));
        let gateway = stage.start();
        gateway.ask(GET);
        gateway.logs_when(0, 1)
    };
    assert_eq!(lines(&TOLD_BY), ["on"]);
    let granted = lines(&["proxy_log", "proxy_on_request_headers", "proc_exit"]);
    assert_eq!(granted.len(), 2, "{granted:?}");
}
