//! Folders that a filter is granted.

use weir_model::{FileAccess, FileGrant};
use weir_proxy::touched::Kind;

use super::refused;
use crate::guest::guest;
use crate::stage::{GET, Gateway, is_oracle, with};

/// Opens `table.txt` in the first folder (at 64: its vector, at 128: what was read) and more.
const SCRIPT: &str = r#"(request_headers
    (wasi fd_prestat_get 3 64) (show "length" (i32.load 68))
    (wasi fd_prestat_get 4 64)
    (wasi fd_prestat_dir_name 3 64 5) (show_bytes "folder" 64 5)
    (wasi path_open 3 1 (ptr "table.txt") (len "table.txt") 0 2 0 0 80)
    (i32.store 64 128) (i32.store 68 100)
    (wasi fd_read (i32.load 80) 64 1 84) (show_bytes "read" 128 (i32.load 84))
    (wasi fd_pread (i32.load 80) 64 1 2 84) (show_bytes "read" 128 (i32.load 84))
    (wasi fd_seek (i32.load 80) 1 0 88) (show64 "at" (i64.load 88))
    (wasi fd_tell (i32.load 80) 88) (show64 "at" (i64.load 88))
    (wasi fd_filestat_get (i32.load 80) 256) (show64 "size" (i64.load 288))
    (wasi path_filestat_get 3 1 (ptr "table.txt") (len "table.txt") 256) (show64 "size" (i64.load 288))
    (wasi fd_readdir 3 512 400 2 84) (show "listed" (i32.load 84))
    (wasi fd_write (i32.load 80) 64 1 84)
    (wasi fd_close (i32.load 80)) (wasi fd_close (i32.load 80))
    (wasi path_open 3 1 (ptr "../secret.txt") (len "../secret.txt") 0 2 0 0 80)
    (wasi path_open 3 1 (ptr "new.txt") (len "new.txt") 1 64 0 0 80))"#;

fn start(access: Option<FileAccess>) -> (Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let granted = folder.path().join("data");
    std::fs::create_dir(&granted).expect("a folder");
    std::fs::write(granted.join("table.txt"), "a=1\nb=2\n").expect("a file");
    std::fs::write(folder.path().join("secret.txt"), "secret").expect("a file");
    let grant = access.map(|access| FileGrant {
        host: granted,
        guest: "/data".to_owned(),
        access,
    });
    let stage =
        with(guest(SCRIPT)).tune(|filter| filter.grants.files = grant.into_iter().collect());
    let gateway = stage.start();
    gateway.ask(GET);
    (gateway, folder)
}

#[test]
fn granted_files_are_read_through_wasi() {
    if is_oracle() {
        return;
    }
    let (gateway, folder) = start(Some(FileAccess::Read));
    let lines = gateway.logs_when(0, 23);
    let expected = [
        "fd_prestat_get 0",
        "length 5",
        "fd_prestat_get 8",
        "fd_prestat_dir_name 0",
        "folder /data",
        "path_open 0",
        "fd_read 0",
        "read a=1\nb=2\n",
        "fd_pread 0",
        "read 1\nb=2\n",
        "fd_seek 0",
        "at 1",
        "fd_tell 0",
        "at 1",
        "fd_filestat_get 0",
        "size 8",
        "path_filestat_get 0",
        "size 8",
        "fd_readdir 0",
        "listed 33",
        "fd_write 76",
        "fd_close 0",
        "fd_close 8",
        "path_open 76",
        "path_open 69",
    ];
    assert_eq!(lines, expected);
    assert!(!folder.path().join("data/new.txt").exists());
    let refused: Vec<_> = refused(&gateway, 0).into_iter().collect();
    let expected = ["(a descriptor)", "../secret.txt", "new.txt"];
    let expected: Vec<_> = expected
        .iter()
        .map(|n| (Kind::File, (*n).to_owned()))
        .collect();
    assert_eq!(refused, expected);
}

#[test]
fn granted_folders_are_written() {
    if is_oracle() {
        return;
    }
    let (gateway, folder) = start(Some(FileAccess::Write));
    let lines = gateway.logs_when(0, 25);
    assert_eq!(lines[23..], ["path_open 76", "path_open 0"]);
    assert!(folder.path().join("data/new.txt").exists());
}

#[test]
fn without_a_grant_there_are_no_files() {
    if is_oracle() {
        return;
    }
    let (gateway, folder) = start(None);
    let lines = gateway.logs_when(0, 20);
    assert_eq!(lines[0], "fd_prestat_get 8");
    assert!(lines.contains(&"path_open 44".to_owned()), "{lines:#?}");
    assert!(!lines.join("\n").contains("a=1"), "{lines:#?}");
    assert!(!folder.path().join("data/new.txt").exists());
}
