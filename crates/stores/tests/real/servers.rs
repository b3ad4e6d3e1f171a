//! Servers as child processes, on free ports, that keep nothing and end with the test.

mod cluster;
mod sentinels;
mod wire;

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use weir_stores::redis::RedisStoreConfig;

pub(crate) use cluster::Cluster;
pub(crate) use sentinels::Sentinels;
pub(crate) use wire::Wire;

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Redis,
    Valkey,
}

/// One server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    program: Program,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Program {
    fn command(self) -> Command {
        match self {
            Self::Redis => Command::new("redis-server"),
            Self::Valkey => {
                let path = std::env::var_os("WEIR_VALKEY");
                Command::new(path.expect("WEIR_VALKEY is not set; `.ci/run real` sets it"))
            }
        }
    }
}

impl Server {
    pub(crate) fn start(program: Program, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
        let folder = TempDir::new().unwrap();
        Self::start_at(free_port(), program, arguments, folder)
    }

    fn start_at(port: u16, program: Program, arguments: Vec<String>, folder: TempDir) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = program
            .command()
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .args(["--repl-diskless-sync-delay", "0"])
            .args(&arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("the server is installed: `.ci/run components`");
        let server = Self {
            child,
            port,
            program,
            arguments,
            folder,
        };
        until("the server answers", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }

    /// One that speaks TLS alone, and asks clients for a certificate: with the files `ca.pem`,
    /// `server.pem` and `server.key` of a folder.
    pub(crate) fn encrypted(program: Program, files: &std::path::Path) -> Self {
        let port = free_port();
        let file = |name: &str| files.join(name).display().to_string();
        let arguments = [
            ["--tls-port", &port.to_string()],
            ["--port", "0"],
            ["--tls-cert-file", &file("server.pem")],
            ["--tls-key-file", &file("server.key")],
            ["--tls-ca-cert-file", &file("ca.pem")],
            ["--tls-auth-clients", "yes"],
        ];
        let arguments = arguments.concat().into_iter().map(str::to_owned).collect();
        Self::start_at(port, program, arguments, TempDir::new().unwrap())
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn config(&self) -> RedisStoreConfig {
        RedisStoreConfig::single(&self.address())
    }

    /// The reply to a command, as text.
    pub(crate) fn tell(&self, command: &[&str]) -> String {
        tell(self.port, command)
    }

    /// Ends it as a machine that goes dark does.
    pub(crate) fn kill(&self) {
        self.signal("-KILL");
    }

    /// An empty one in the place of one that was killed.
    pub(crate) fn revive(mut self) -> Self {
        self.kill();
        self.child.wait().unwrap();
        let arguments = std::mem::take(&mut self.arguments);
        Self::start_at(self.port, self.program, arguments, TempDir::new().unwrap())
    }

    /// It keeps its connections, and says nothing.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log"));
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "{:?} on {}:\n{}",
                self.program,
                self.port,
                lines[lines.len().saturating_sub(20)..].join("\n")
            );
        }
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command to the server at a port, and its reply as text.
pub(crate) fn tell(port: u16, command: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        .args(command)
        .output()
        .expect("redis-cli is installed: `.ci/run components`");
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits, half a minute at most.
#[track_caller]
pub(crate) fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(30), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
