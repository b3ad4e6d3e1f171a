//! Disks that are full, read-only or out of bounds: what is refused has changed nothing, what was
//! acknowledged stays, and writes go on when there is room.
//!
//! Each case runs in a process of its own, which is this program again, on a disk that a script has
//! prepared for it in a name space of its own.

mod cases;

use std::io::Write as _;
use std::process::Command;

/// Where a case finds its disk.
const DISK: &str = "WEIR_FAILING_DISK";

/// A program that may mount what only it sees.
fn apart(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", program]);
    command
}

/// Runs a case after a script that sees its folder as `$WEIR_FAILING_DISK`.
fn case(name: &str, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = apart("sh");
    if script == LIMITED {
        shell = Command::new("sh");
    } else if !apart("true").status().is_ok_and(|status| status.success()) {
        let told = "skipped: this system allows no name spaces to its users\n";
        std::io::stderr().write_all(told.as_bytes()).unwrap();
        return;
    }
    let ran = shell
        .args(["-ec", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .arg(format!("failing::cases::{name}"))
        .env(DISK, folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    let trouble = String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.success() && told.contains("1 passed"),
        "{told}{trouble}"
    );
}

/// Writes beyond a limit fail instead of ending the process.
const LIMITED: &str = r#"trap "" XFSZ; exec "$0" "$@""#;
const SMALL_DISK: &str = r#"mount -t tmpfs -o size=8m weir "$WEIR_FAILING_DISK"; exec "$0" "$@""#;

#[test]
fn a_full_disk_refuses_and_recovers() {
    case("full_when_synced", SMALL_DISK);
    case("full_when_relaxed", SMALL_DISK);
}

#[test]
fn no_map_is_made_on_a_full_disk() {
    case("full_at_opening", SMALL_DISK);
}

/// The store itself runs into this, in the middle of what it writes.
#[test]
fn a_write_that_fails_half_way_has_changed_nothing() {
    case("cut_off", LIMITED);
}

#[test]
fn a_read_only_disk_is_named() {
    let read_only = r#"d="$WEIR_FAILING_DISK"; mkdir "$d/w" "$d/r"; mount --bind "$d/w" "$d/r"
        mount -o remount,bind,ro "$d/r"; exec "$0" "$@""#;
    case("read_only", read_only);
}

#[test]
fn a_missing_permission_is_named() {
    let bounded = r#"exec setpriv --bounding-set -dac_override,-dac_read_search "$0" "$@""#;
    case("not_permitted", bounded);
}
