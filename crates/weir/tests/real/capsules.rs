//! Whatever third-party plugins do in a gateway, their capsules replay.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::all::harness::Gateway;
use crate::plugins::{Servers, read, site};

/// Every plugin of the package of which there is a record.
const PLUGINS: [&str; 13] = [
    "transformer",
    "ai-statistics",
    "ip-acl",
    "set-header-pre-route",
    "rate-limit",
    "ai-data-masking",
    "ai-proxy",
    "ext-auth",
    "generic-proxy-router",
    "lb-session-affinity",
    "lb-least-load",
    "lb-decision-service",
    "token-usage",
];

#[test]
fn every_exchange_of_every_plugin_replays_from_a_shared_vm() {
    for name in PLUGINS {
        check(name, "plugin");
    }
}

#[test]
fn every_exchange_of_every_plugin_replays_from_a_vm_of_its_own() {
    for name in PLUGINS {
        check(name, "request");
    }
}

#[test]
fn exchanges_of_plugins_in_processes_replay() {
    for name in ["transformer", "ext-auth", "token-usage"] {
        check(name, "{ process: { inside: plugin } }");
    }
}

#[track_caller]
fn check(name: &str, isolation: &str) {
    let record = read(name);
    let servers = Servers::start();
    let folder = TempDir::new().expect("a folder can be made");
    let kept = folder.path().join("kept");
    let more = format!(", isolation: {isolation}, capsules: {{ always: true, log: 64KiB }}");
    let capsules = format!("capsules: {{ folder: \"{}\" }}\n", kept.display());
    let site = site(&record, &servers, &more) + &capsules;
    let gateway = Gateway::start(&site.replace("\"module\":\"witness\"", WITNESS));
    for exchange in &record.exchanges {
        let _ = servers.play(gateway.address(), exchange);
    }
    gateway.end();
    let entries = std::fs::read_dir(&kept).expect("the folder is made");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let found = paths.filter(|path| path.extension().is_some_and(|end| end == "weircap"));
    let (found, bytes) = found.fold((0, 0), |(count, bytes), path| {
        let about = path.metadata().expect("it is there");
        (count + 1, bytes + about.len())
    });
    assert!(found >= record.exchanges.len(), "{name}: {found} capsules");
    let (is_fine, text) = replay(&kept);
    assert!(is_fine, "{name}, {isolation}:\n{text}");
    tell(name, isolation, (found, bytes));
}

/// The other filters of the route are not recorded.
const WITNESS: &str = "\"module\":\"witness\",\"capsules\":\"off\"";

fn replay(folder: &Path) -> (bool, String) {
    let weir = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("replay")
        .arg(folder)
        .output()
        .expect("weir can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = text(&weir.stdout) + &text(&weir.stderr);
    (weir.status.success(), told)
}

#[expect(
    clippy::print_stdout,
    reason = "sizes are for whoever asks with --nocapture"
)]
fn tell(name: &str, isolation: &str, (count, bytes): (usize, u64)) {
    let each = bytes / count.max(1) as u64;
    println!("{name}, {isolation}: {count} capsules, {each} bytes each");
}
