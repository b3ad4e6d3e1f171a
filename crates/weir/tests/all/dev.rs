//! `weir dev`: builds, serves, and does both again, while clients ask without a break.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::Folder;
use crate::harness::{Wire, get, until};

const HELLO: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../guests/prebuilt/hello.wasm"
);

/// A project whose build copies a file, if another one says that all is well.
fn project(greeting: &str) -> String {
    format!(
        "workers: 2\nlisteners:\n  - address: 127.0.0.1:0\n    name: main\n    routes:\n      \
         - {{ filters: [hello], echo: true }}\n\
         modules:\n  hello:\n    file: out/hello.wasm\n    build:\n      command: mkdir -p out && \
         grep -q fine src/state && cp src/hello.wasm out/hello.wasm\n      watch: [src]\n\
         filters:\n  hello: {{ module: hello, configuration: {{ greeting: {greeting} }} }}\n\
         admin: {{ address: \"127.0.0.1:0\" }}\ncode_cache: off\n"
    )
}

fn folder() -> Folder {
    let folder = Folder::new().with("weir.yaml", project("one"));
    fs::create_dir(folder.path("src")).expect("the folder can be written");
    fs::copy(HELLO, folder.path("src/hello.wasm")).expect("the folder can be written");
    folder.with("src/state", "fine")
}

fn dev(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command
        .current_dir(folder.path(""))
        .args(["dev", "--color", "never"])
        .args(arguments)
        .stdin(Stdio::null());
    command
}

/// A running `weir dev`, and what it has told.
struct Dev {
    child: Child,
    told: Arc<Mutex<Vec<String>>>,
    /// Lines that were waited for.
    seen: usize,
}

impl Dev {
    fn start(folder: &Folder) -> Self {
        let mut command = dev(folder, &[]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("weir can be run");
        let told = Arc::<Mutex<Vec<String>>>::default();
        let filled = Arc::clone(&told);
        let pipe = child.stderr.take().expect("a pipe");
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                filled.lock().expect("nobody panics").push(line);
            }
        });
        Self {
            child,
            told,
            seen: 0,
        }
    }

    /// The next line with this text, after the one that was waited for before.
    #[track_caller]
    fn wait_for(&mut self, part: &str) -> String {
        let (told, from) = (Arc::clone(&self.told), self.seen);
        let mut found = None;
        until(part, || {
            let told = told.lock().expect("nobody panics");
            let place = told.iter().skip(from).position(|line| line.contains(part));
            found = place.map(|place| (from + place + 1, told[from + place].clone()));
            found.is_some()
        });
        let (seen, line) = found.expect("it was waited for");
        self.seen = seen;
        line
    }

    fn address(&mut self) -> SocketAddr {
        let line = self.wait_for("serve http://");
        let rest = line.split_once("http://").map(|(_, rest)| rest);
        let word = rest.and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).expect("an address")
    }

    fn stop(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "INT", &id]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        self.child.wait().expect("it is our child")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that asks on one new connection after the other.
struct Client {
    is_over: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Client {
    fn of(address: SocketAddr) -> Self {
        let (is_over, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&answers));
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let mut wire = Wire::connect(address);
                wire.send(get("/", ""));
                assert_eq!(wire.response().status(), 200);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            is_over,
            answers,
            thread,
        }
    }

    /// None of its requests was lost, and there were some.
    fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("every request is answered");
        assert!(self.answers.load(Ordering::Relaxed) > 10);
    }
}

fn greeting(address: SocketAddr) -> String {
    let mut wire = Wire::connect(address);
    wire.send(get("/", ""));
    let greeting = wire.response().header("x-greeting").map(str::to_owned);
    greeting.expect("the filter greets")
}

fn write(folder: &Folder, name: &str, text: impl AsRef<[u8]>) {
    fs::write(folder.path(name), text).expect("the folder can be written");
}

#[test]
fn changes_are_served_and_no_request_is_lost() {
    let folder = folder();
    let mut dev = Dev::start(&folder);
    dev.wait_for("built hello");
    let address = dev.address();
    assert_eq!(greeting(address), "one");
    let client = Client::of(address);

    write(&folder, "weir.yaml", project("two"));
    dev.wait_for("change");
    // The port is the same, though the configuration says any.
    assert_eq!(dev.address(), address);
    until("the new greeting", || greeting(address) == "two");

    // What is wrong is told, and changes nothing.
    write(&folder, "src/state", "broken");
    dev.wait_for("the build of hello ended with 1");
    dev.wait_for("what served before serves on");
    write(
        &folder,
        "weir.yaml",
        project("three").replace("filters", "filterz"),
    );
    dev.wait_for("filterz");
    assert_eq!(greeting(address), "two");
    write(&folder, "weir.yaml", project("three"));
    dev.wait_for("the build of hello ended with 1");
    write(&folder, "src/hello.wasm", b"no module");
    write(&folder, "src/state", "fine");
    dev.wait_for("built hello");
    dev.wait_for("what served before serves on");
    assert_eq!(greeting(address), "two");

    fs::copy(HELLO, folder.path("src/hello.wasm")).expect("the folder can be written");
    assert_eq!(dev.address(), address);
    until("the new greeting", || greeting(address) == "three");
    client.end();
    assert_eq!(dev.stop().code(), Some(0));
}

#[test]
fn a_build_that_never_ends_ends_with_weir_dev() {
    let folder = folder();
    write(
        &folder,
        "slow.sh",
        "sleep 1000 & echo $! > pid; echo begun >&2; wait",
    );
    let text = project("one").replace("mkdir -p out", "sh slow.sh && mkdir -p out");
    write(&folder, "weir.yaml", text);
    let mut dev = Dev::start(&folder);
    dev.wait_for("begun");
    assert_eq!(dev.stop().code(), Some(0));
    let child = fs::read_to_string(folder.path("pid")).expect("it was written");
    let state = Path::new("/proc").join(child.trim()).join("stat");
    until("its child is over", || {
        fs::read_to_string(&state).is_ok_and(|stat| stat.contains(") Z ")) || !state.exists()
    });
}

#[track_caller]
fn check_run(folder: &Folder, command: &str, code: i32, part: &str) {
    let output = dev(folder, &["--run", command]).output();
    let output = output.expect("weir can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(part), "{told}");
    // It has ended: it waits for nothing.
    assert!(!told.contains("waiting"), "{told}");
}

#[test]
fn a_test_finds_the_gateway_and_decides_the_exit_code() {
    let folder = folder();
    check_run(
        &folder,
        "echo \"at $WEIR_URL and $WEIR_URL_MAIN\"",
        0,
        "at http://127.0.0.1:",
    );
    check_run(&folder, "exit 3", 1, "");
    check_run(&folder, "no-such-program", 1, "no-such-program");
    write(&folder, "src/state", "broken");
    fs::remove_dir_all(folder.path("out")).expect("the build was there");
    check_run(
        &folder,
        "echo reached",
        1,
        "the build of hello ended with 1",
    );
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let folder = Folder::new();
    let output = dev(&folder, &[]).output().expect("weir can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot read weir.yaml"), "{told}");
}
