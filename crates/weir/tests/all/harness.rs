//! The real gateway as a child process: started on free ports, asked over sockets, stopped.
//!
//! Invariant: a test that ends well calls [`Gateway::end`], which checks that nothing leaked; a test
//! that fails kills its gateway and shows its log.

mod encrypted;
mod lines;
mod upstream;
mod wire;

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use encrypted::{Authority, Odd};
use lines::Lines;
pub(crate) use upstream::{Seen, Upstream, echo};
pub(crate) use wire::{Message, Wire};

/// Longer than anything that is waited for.
pub(crate) const LONG: Duration = Duration::from_mins(3);
/// Between two looks at something that tells nobody when it changes.
const LOOK: Duration = Duration::from_millis(5);

/// Prebuilt modules.
const GUESTS: [&str; 5] = [
    "hello",
    "shout",
    "probe",
    "flow-control",
    "dynamic-configuration",
];

/// A running gateway.
pub(crate) struct Gateway {
    child: Child,
    out: Lines,
    err: Lines,
    listener: SocketAddr,
    admin: SocketAddr,
    _folder: TempDir,
}

impl Gateway {
    /// Starts a gateway and waits until it serves. `site` has `listeners:` at least, with port 0;
    /// the modules in `guests/prebuilt` that it names and the admin address are added.
    pub(crate) fn start(site: &str) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let file = folder.path().join("weir.yaml");
        fs::write(&file, with_modules(site)).expect("the folder can be written");
        let mut child = serve(file);
        let out = Lines::of(child.stdout.take().expect("stdout is a pipe"));
        let err = Lines::of(child.stderr.take().expect("stderr is a pipe"));
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        // From here on a failure kills the gateway and shows its log.
        let mut gateway = Self {
            child,
            out,
            err,
            listener: unknown,
            admin: unknown,
            _folder: folder,
        };
        gateway.listener = address_in(&gateway.err.wait_for(" listening "));
        gateway.admin = address_in(&gateway.err.wait_for("admin page"));
        gateway
    }

    /// Its first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(self.listener)
    }

    /// One request on a connection of its own; the whole response.
    #[track_caller]
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        let mut wire = self.connect();
        wire.send(request);
        wire.response()
    }

    /// A `GET` of this path with these header lines, each with its line end.
    #[track_caller]
    pub(crate) fn get(&self, path: &str, headers: &str) -> Message {
        self.ask(get(path, headers))
    }

    /// A page of the admin address.
    #[track_caller]
    pub(crate) fn admin(&self, path: &str) -> Message {
        let mut wire = Wire::connect(self.admin);
        let host = self.admin;
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        wire.response()
    }

    pub(crate) fn stats(&self) -> Value {
        serde_json::from_slice(&self.admin("/stats.json").body).expect("the statistics are JSON")
    }

    /// One of the totals.
    pub(crate) fn total(&self, name: &str) -> u64 {
        let stats = self.stats();
        let total = stats["totals"][name].as_u64();
        total.unwrap_or_else(|| panic!("no total {name} in {stats}"))
    }

    /// Waits until a total has this value.
    #[track_caller]
    pub(crate) fn wait_for_total(&self, name: &str, value: u64) {
        until(&format!("{name} = {value}"), || self.total(name) == value);
    }

    /// Waits until no request runs and no connection is open: nothing leaked, nothing panicked.
    #[track_caller]
    pub(crate) fn settle(&self) {
        self.wait_for_total("requests_active", 0);
        self.wait_for_total("connections_active", 0);
        assert_eq!(self.total("panics"), 0);
    }

    /// The access log line that has this text in it.
    #[track_caller]
    pub(crate) fn access(&self, part: &str) -> Value {
        serde_json::from_str(&self.out.wait_for(part)).expect("the access log is JSON")
    }

    /// The line of the log that has this text in it.
    #[track_caller]
    pub(crate) fn logged(&self, part: &str) -> String {
        self.err.wait_for(part)
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.err.text()
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("the gateway runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .expect("the system tells the resident memory")
    }

    /// Processor time of the gateway so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let path = format!("/proc/{}/task", self.child.id());
        let tasks = fs::read_dir(path).expect("the gateway runs");
        let nanos = |task: fs::DirEntry| -> Option<u64> {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse().ok()
        };
        Duration::from_nanos(tasks.filter_map(|task| nanos(task.ok()?)).sum())
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "no {name} sent");
    }

    /// Waits until the process is over.
    #[track_caller]
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        until("the gateway ends", || {
            status = self.child.try_wait().expect("the gateway is our child");
            status.is_some()
        });
        status.expect("it was waited for")
    }

    /// Nothing leaked, and SIGTERM ends the gateway in peace.
    #[track_caller]
    pub(crate) fn end(self) {
        self.settle();
        self.finish();
    }

    /// As [`Gateway::end`], where connections stay open: those of the gateway to itself.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.signal("TERM");
        assert_eq!(self.exit().code(), Some(0));
        let log = self.err.text();
        let panics = log.lines().filter(|line| line.starts_with("thread '"));
        assert_eq!(panics.collect::<Vec<_>>(), [""; 0]);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let (log, access) = (self.err.text(), self.out.text());
            let tail = |text: &str| {
                text.lines()
                    .rev()
                    .take(30)
                    .fold(String::new(), |tail, line| line.to_owned() + "\n" + &tail)
            };
            eprintln_of(&format!(
                "log:\n{}access log:\n{}",
                tail(&log),
                tail(&access)
            ));
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the log of a failed test belongs to its output"
)]
fn eprintln_of(text: &str) {
    eprintln!("{text}");
}

/// Starts `weir serve` with pipes.
fn serve(file: PathBuf) -> Child {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("serve")
        .arg(file)
        // Compiled code of tests stays with the tests.
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway can be started")
}

/// What `weir serve` says of a site that it must refuse, and its exit code.
pub(crate) fn refused(site: &str) -> (Option<i32>, String) {
    let folder = TempDir::new().expect("a folder can be made");
    let file = folder.path().join("weir.yaml");
    fs::write(&file, site).expect("the folder can be written");
    let output = serve(file)
        .wait_with_output()
        .expect("it can be waited for");
    let text = String::from_utf8(output.stderr).expect("weir speaks UTF-8");
    (output.status.code(), text)
}

/// A request without a body.
pub(crate) fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n{headers}\r\n")
}

/// A site of one listener with these routes (a YAML flow or block sequence), one cluster `up` and
/// what `more` says.
pub(crate) fn site(upstream: SocketAddr, routes: &str, more: &str) -> String {
    format!(
        "workers: 2\nlisteners:\n  - address: 127.0.0.1:0\n    name: main\n    routes:\n{routes}\n\
         clusters:\n  up: {{ endpoints: [\"{upstream}\"], ejection: off }}\n{more}\n"
    )
}

fn with_modules(site: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/prebuilt");
    let mut text = format!("admin: {{ address: \"127.0.0.1:0\" }}\n{site}");
    let mut modules = String::new();
    for name in GUESTS {
        if site.contains(&format!("module: {name}")) {
            let _ = writeln!(modules, "  {name}: {{ file: {folder}/{name}.wasm }}");
        }
    }
    if !modules.is_empty() {
        text += "modules:\n";
        text += &modules;
    }
    text
}

fn address_in(line: &str) -> SocketAddr {
    let address = line.split_once("address=").map(|(_, rest)| rest);
    let word = address.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok())
        .unwrap_or_else(|| panic!("no address in {line:?}"))
}

/// Polls until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LONG, "waited too long for: {what}");
        thread::sleep(LOOK);
    }
}

/// Tells threads to end, also when the test fails: a scope waits for its threads.
pub(crate) struct Ends<'a>(pub(crate) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
