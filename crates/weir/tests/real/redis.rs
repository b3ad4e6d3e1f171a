//! A real Redis as a child process, on a free port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::all::harness::{LONG, until};

/// A server that keeps nothing on disk and ends with the test.
pub(crate) struct Redis {
    child: Child,
    pub(crate) address: SocketAddr,
    password: &'static str,
    _folder: TempDir,
}

impl Redis {
    /// With a password, unless it is empty.
    pub(crate) fn start(password: &'static str) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let address = socket.local_addr().expect("it is bound");
        drop(socket);
        Self::start_at(address, password)
    }

    /// At the place of one that is gone.
    pub(crate) fn start_at(address: SocketAddr, password: &'static str) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args([
                "--save",
                "",
                "--appendonly",
                "no",
                "--requirepass",
                password,
            ])
            .arg("--dir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed: `.ci/run components`");
        let redis = Self {
            child,
            address,
            password,
            _folder: folder,
        };
        until("Redis answers", || TcpStream::connect(address).is_ok());
        redis
    }

    /// The replies to commands on one connection, each as one text.
    pub(crate) fn tell(&self, commands: &[&[&str]]) -> Vec<String> {
        let stream = TcpStream::connect(self.address).expect("Redis accepts");
        stream
            .set_read_timeout(Some(LONG))
            .expect("a socket has a timeout");
        let mut wire = BufReader::new(stream);
        let login = ["AUTH", self.password];
        let logins: &[&[&str]] = if self.password.is_empty() {
            &[]
        } else {
            &[&login]
        };
        for command in logins {
            ask(&mut wire, command);
        }
        commands
            .iter()
            .map(|command| ask(&mut wire, command))
            .collect()
    }

    /// All keys of a database, in order, in one line.
    pub(crate) fn keys(&self, database: &str) -> String {
        let replies = self.tell(&[&["SELECT", database], &["KEYS", "*"]]);
        let mut keys: Vec<_> = replies[1].split(' ').collect();
        keys.sort_unstable();
        keys.join(" ")
    }
}

fn ask(wire: &mut BufReader<TcpStream>, command: &[&str]) -> String {
    let mut query = format!("*{}\r\n", command.len());
    for part in command {
        query.extend(["$", &part.len().to_string(), "\r\n", part, "\r\n"]);
    }
    wire.get_mut()
        .write_all(query.as_bytes())
        .expect("Redis reads");
    reply(wire)
}

/// A reply as text; the elements of an array with a space between them.
fn reply(wire: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    wire.read_line(&mut line).expect("Redis answers");
    let (kind, rest) = line.trim_end().split_at(1);
    match kind {
        "$" => {
            let Ok(length) = rest.parse::<usize>() else {
                return String::new();
            };
            let mut bytes = vec![0; length + 2];
            wire.read_exact(&mut bytes).expect("the reply goes on");
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        }
        "*" => {
            let count = rest.parse().unwrap_or(0);
            let elements: Vec<_> = (0..count).map(|_| reply(wire)).collect();
            elements.join(" ")
        }
        _ => rest.to_owned(),
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its port must be free for the next one.
        std::thread::sleep(Duration::from_millis(10));
    }
}
