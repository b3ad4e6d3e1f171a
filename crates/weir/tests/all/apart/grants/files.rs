//! Folders that a filter is granted, and dry runs.

use super::{check, scene};

/// Opens `table.txt` in the first folder (at 64: its vector, at 128: what was read) and more.
const FILES: &str = r#"(request_headers
    (wasi fd_prestat_get 3 64) (show "length" (i32.load 68))
    (wasi fd_prestat_get 4 64)
    (wasi fd_prestat_dir_name 3 64 5) (show_bytes "folder" 64 5)
    (wasi path_open 3 1 (ptr "table.txt") (len "table.txt") 0 2 0 0 80)
    (i32.store 64 128) (i32.store 68 100)
    (wasi fd_read (i32.load 80) 64 1 84) (show_bytes "read" 128 3)
    (wasi fd_pread (i32.load 80) 64 1 2 84) (show "left" (i32.load 84))
    (wasi fd_seek (i32.load 80) 1 0 88) (show64 "at" (i64.load 88))
    (wasi fd_tell (i32.load 80) 88) (show64 "at" (i64.load 88))
    (wasi fd_filestat_get (i32.load 80) 256) (show64 "size" (i64.load 288))
    (wasi path_filestat_get 3 1 (ptr "table.txt") (len "table.txt") 256) (show64 "size" (i64.load 288))
    (wasi fd_readdir 3 512 400 2 84) (show "listed" (i32.load 84))
    (wasi fd_write (i32.load 80) 64 1 84)
    (wasi fd_close (i32.load 80)) (wasi fd_close (i32.load 80))
    (wasi path_open 3 1 (ptr "../secret.txt") (len "../secret.txt") 0 2 0 0 80)
    (wasi path_open 3 1 (ptr "new.txt") (len "new.txt") 1 64 0 0 80))"#;

#[test]
fn folders_are_read_alike() {
    let keys = ", grants: { files: [{ host: DATA, guest: /data }] }";
    let expected = [
        "length 5",
        "folder /data",
        "read a=1",
        "left 6",
        "at 1",
        "size 8",
        "listed 33",
        "fd_write 76",
        "fd_close 8",
        "path_open 76",
        "path_open 69",
    ];
    let played = check(&scene(FILES, keys, 25), &expected);
    assert_eq!(played.files, ["table.txt"]);
    for refused in ["../secret.txt", "new.txt", "(a descriptor)"] {
        assert!(played.page.contains(refused), "{}", played.page);
    }
}

#[test]
fn folders_are_written_alike() {
    let keys = ", grants: { files: [{ host: DATA, guest: /data, write: true }] }";
    let played = check(&scene(FILES, keys, 25), &["path_open 76", "path_open 0"]);
    assert!(
        played.files.contains(&"new.txt".to_owned()),
        "{:?}",
        played.files
    );
}

#[test]
fn without_a_grant_there_are_no_files_in_a_process_either() {
    let played = check(&scene(FILES, "", 20), &["fd_prestat_get 8", "path_open 44"]);
    assert_eq!(played.files, ["table.txt"]);
}

/// What a filter opened while it started is not open in a copy, wherever that runs.
#[test]
fn a_file_that_was_open_at_the_start_is_closed_in_a_copy() {
    let script = r#"(vm_start
            (wasi path_open 3 1 (ptr "table.txt") (len "table.txt") 0 2 0 0 80) (set a (i32.load 80)) 1)
        (request_headers (i32.store 64 128) (i32.store 68 100) (wasi fd_read @a 64 1 84))"#;
    let keys = ", grants: { files: [{ host: DATA, guest: /data }] }";
    let scene = scene(script, keys, 2);
    let here = scene.play("request");
    assert_eq!(here.lines, ["path_open 0", "fd_read 8"]);
    assert_eq!(scene.play(super::APART[1]), here);
    // In a VM for all requests it is.
    let shared = scene.play(super::HERE);
    assert_eq!(shared.lines, ["path_open 0", "fd_read 0"]);
    assert_eq!(scene.play(super::APART[0]), shared);
}

#[test]
fn a_dry_run_notes_alike() {
    let script = r#"(request_headers
        (get 0 "X-A") (replace 0 "x-secure" "2") (add 0 "x-free" "3") (!pairs 0)
        (!prop "source\00port") (set_prop "mine" "1") (read 6 0 9)
        (call "side" "{:method:GET;:path:/c;:authority:s}" "" "" 1000)
        (foreign "clear_route_cache" "") (resolve "other" "q") (set_shared "k" "v" 0)
        (wasi random_get 64 8) (wasi clock_time_get 0 0 64)
        (wasi path_open 3 1 (ptr "new.txt") (len "new.txt") 1 64 0 0 80) (set a $ctx) 3)
        (http_call_response (say "answered") (effective @a) (continue 0))
        (response_headers (get 2 "x-line")) (response_body 0) (log (say "over"))"#;
    let keys = ", capabilities: [proxy_log], environment: { A: b }, \
        grants: { mode: dry_run, clusters: [], vm_ids: [], foreign_functions: [], random: false, \
        protected_headers: [x-secure], files: [{ host: DATA, guest: /data }] }, \
        sees: { request_headers: { authorization: hide } }";
    let played = check(
        &scene(script, keys, 16),
        &["get 0 1", "call 0 4", "random_get 0"],
    );
    for part in [
        "\"proxy_on_request_headers\"",
        "\"proxy_on_log\"",
        "\"proxy_add_header_map_value\"",
        "\"random_get\"",
        "  clusters: [\"side\"]\n",
        "  vm_ids: [\"other\"]\n",
        "  foreign_functions: [\"clear_route_cache\"]\n",
        "  write_headers: [\"x-secure\"]\n",
        "  random: true\n",
        "#   properties: [\"source.port\"]\n",
        "#   written properties: [\"mine\"]\n",
    ] {
        assert!(
            played.page.contains(part),
            "no {part:?} in\n{}",
            played.page
        );
    }
    assert!(!played.counted.is_empty(), "{played:#?}");
    assert!(
        played.sent.iter().any(|sent| sent.contains("x-secure: 2")),
        "{played:#?}"
    );
}
