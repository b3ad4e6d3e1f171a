//! A real Redis.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::trouble::Trouble;
use crate::watch::{Program, Watch};
use crate::wire::{eventually, lossy};

/// Longest wait for its start, and for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often another free port is tried.
const ATTEMPTS: u32 = 3;

/// A running server.
pub(super) struct Redis {
    pub(super) address: SocketAddr,
    _program: Program,
    _folder: tempfile::TempDir,
}

impl Redis {
    pub(super) fn start(
        arguments: &[String],
        setup: &[Vec<String>],
        watch: &Watch,
    ) -> Result<Self, Trouble> {
        let mut last = trouble("not started".to_owned());
        for _ in 0..ATTEMPTS {
            match Self::try_start(arguments, watch) {
                Ok(redis) => {
                    redis.run(setup)?;
                    return Ok(redis);
                }
                // The port may have been taken between asking for it and using it.
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn try_start(arguments: &[String], watch: &Watch) -> Result<Self, Trouble> {
        let folder = tempfile::tempdir().map_err(|error| trouble(error.to_string()))?;
        let address = super::dead_address().map_err(|error| trouble(error.to_string()))?;
        let mut program = watch.spawn(
            Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .arg("--port")
                .arg(address.port().to_string())
                .arg("--dir")
                .arg(folder.path())
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )?;
        let ready = eventually(PATIENCE, || match program.child.try_wait() {
            Ok(None) => TcpStream::connect(address).ok().map(|_| true),
            _ => Some(false),
        });
        if ready != Some(true) {
            return Err(trouble(format!("redis-server {arguments:?} did not start")));
        }
        Ok(Self {
            address,
            _program: program,
            _folder: folder,
        })
    }

    /// Runs commands; each must succeed.
    fn run(&self, commands: &[Vec<String>]) -> Result<(), Trouble> {
        let failed = |error: std::io::Error| trouble(error.to_string());
        let mut stream = TcpStream::connect(self.address).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        for command in commands {
            let mut bytes = format!("*{}\r\n", command.len());
            for word in command {
                bytes.extend(["$", &word.len().to_string(), "\r\n", word, "\r\n"]);
            }
            stream.write_all(bytes.as_bytes()).map_err(failed)?;
            let mut reply = [0; 512];
            let count = stream.read(&mut reply).map_err(failed)?;
            if count == 0 || reply[0] == b'-' {
                let reply = lossy(&reply[..count]);
                return Err(trouble(format!("{command:?}: {reply}")));
            }
        }
        Ok(())
    }
}

fn trouble(what: String) -> Trouble {
    Trouble::Server {
        cluster: "redis",
        what,
    }
}
