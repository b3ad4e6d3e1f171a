//! The servers behind a host's clusters: they note what they get as they get it, and answer as told.

mod grpc;
mod http1;
mod redis;
mod tcp;

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::statement::{Answer, Protocol, Seen, Server};
use crate::trouble::Trouble;
use crate::watch::Watch;
use crate::wire::locked;

/// What separates the pieces of a raw answer: the server waits a moment there.
const PAUSE: char = '|';
/// How long a pause is.
const PAUSE_TIME: Duration = Duration::from_millis(30);

/// What the servers of a cluster saw, from their beginning.
#[derive(Clone, Default)]
pub(crate) struct Record {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Which of the servers writes here.
    server: usize,
}

impl Record {
    /// A further request; gives its index.
    fn begin(&self, mut seen: Seen) -> usize {
        seen.server = self.server;
        let mut all = locked(&self.seen);
        all.push(seen);
        all.len() - 1
    }

    fn change(&self, at: usize, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = locked(&self.seen).get_mut(at) {
            change(seen);
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        locked(&self.seen).clone()
    }
}

/// Tells servers to end. Cheap to clone.
#[derive(Clone, Default)]
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Relaxed);
        for address in &self.addresses {
            // A server looks whether it is to end when somebody connects.
            let _ = TcpStream::connect(address);
        }
    }
}

/// Running servers of one cluster; they end with this value.
pub(crate) struct Running {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) record: Record,
    stop: Stop,
    /// Kept alive.
    programs: Vec<redis::Redis>,
}

impl Running {
    /// Starts the servers behind a cluster.
    pub(crate) fn start(
        server: &Server,
        cluster: &'static str,
        watch: &Watch,
    ) -> Result<Self, Trouble> {
        let mut running = Self {
            addresses: Vec::new(),
            record: Record::default(),
            stop: Stop::default(),
            programs: Vec::new(),
        };
        for index in 0..server.endpoints {
            running.start_one(index, server, cluster, watch)?;
        }
        Ok(running)
    }

    fn start_one(
        &mut self,
        index: usize,
        server: &Server,
        cluster: &'static str,
        watch: &Watch,
    ) -> Result<(), Trouble> {
        let record = Record {
            server: index,
            ..self.record.clone()
        };
        let (when, stop) = (server.when, self.stop.clone());
        let address = match (server.protocol, &server.answer) {
            (Protocol::Http1, Answer::Raw(answers)) => {
                http1::start(answers.clone(), when, record, stop)
            }
            (Protocol::Tcp, Answer::Raw(answers)) => {
                tcp::start(answers.clone(), when, record, stop)
            }
            (Protocol::Grpc, Answer::Steps(steps)) => {
                grpc::start(steps.clone(), when, record, stop)
            }
            (Protocol::Redis, Answer::Redis { arguments, setup }) => {
                let redis = redis::Redis::start(arguments, setup, watch)?;
                let address = redis.address;
                self.programs.push(redis);
                Ok(address)
            }
            (protocol, _) => Err(std::io::Error::other(format!(
                "this is no answer for {protocol:?}"
            ))),
        };
        let address = address.map_err(|error| Trouble::Server {
            cluster,
            what: error.to_string(),
        })?;
        self.addresses.push(address);
        Ok(())
    }
}

/// An address that refuses connections: of a port that was free a moment ago.
pub(crate) fn dead_address() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr())
}

/// The answer to the request at an index, and its pieces.
fn pieces(answers: &[String], index: usize) -> impl Iterator<Item = &str> {
    let answer = answers.get(index).or(answers.last());
    answer.map_or("", String::as_str).split(PAUSE)
}
