//! Redis for plugins: pipelined connections, one for each cluster, database and login of a worker
//! (Higress; Proxy-Wasm reference 10.2, decision 014).
//!
//! A [`Client`] takes commands as they are on the wire and gives each its reply as it came.
//! Invariant: the n-th reply on a connection belongs to the n-th command written on it; whatever
//! could break that ends the connection, and everything in flight on it fails.

mod command;
mod connection;
mod frame;
mod service;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use weir_model::limits;

use crate::plugin::Pace;
use crate::upstream::Cluster;
pub(crate) use command::vet;
pub(crate) use service::Service;

/// Whom a connection belongs to: plugins with equal ones share it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    /// Name of the cluster.
    pub(crate) cluster: String,
    pub(crate) database: u32,
    pub(crate) username: Bytes,
    pub(crate) password: Bytes,
}

/// All clients of one worker.
#[derive(Default)]
pub(crate) struct Clients {
    by_login: RefCell<FxHashMap<Login, Rc<Client>>>,
    paces: Rc<Paces>,
}

/// How often the log tells what happens to connections. Plugins choose logins and databases, and
/// with them how often one fails.
#[derive(Default)]
struct Paces {
    refused: Pace,
    ended: Pace,
}

/// Too much waits for this Redis already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// A command on its way: its reply as it came; an error if the connection broke.
pub(crate) type Answer = oneshot::Receiver<Bytes>;

/// What one connection serves. Outlives the connection: the next command opens another.
pub(crate) struct Client {
    line: Rc<Line>,
    task: AbortHandle,
}

/// The commands of one client that have no reply yet.
#[derive(Default)]
struct Line {
    waiting: RefCell<VecDeque<Command>>,
    waiting_bytes: Cell<usize>,
    /// Waiting or in flight.
    count: Cell<usize>,
    news: Notify,
    paces: Rc<Paces>,
}

struct Command {
    query: Bytes,
    deadline: Instant,
    reply: oneshot::Sender<Bytes>,
}

impl Clients {
    /// The client for this login; a new one if there is none.
    ///
    /// # Errors
    ///
    /// [`Busy`] when there are too many, all of them in use.
    pub(crate) fn client(&self, login: &Login, cluster: &Rc<Cluster>) -> Result<Rc<Client>, Busy> {
        let clients = &mut *self.by_login.borrow_mut();
        if let Some(known) = clients.get(login) {
            return Ok(Rc::clone(known));
        }
        if clients.len() >= limits::REDIS_CLIENTS_MAX {
            clients.retain(|_, client| client.line.count.get() > 0);
        }
        if clients.len() >= limits::REDIS_CLIENTS_MAX {
            return Err(Busy);
        }
        let client = Rc::new(Client::start(
            login.clone(),
            Rc::clone(cluster),
            Rc::clone(&self.paces),
        ));
        clients.insert(login.clone(), Rc::clone(&client));
        Ok(client)
    }
}

impl Client {
    fn start(login: Login, cluster: Rc<Cluster>, paces: Rc<Paces>) -> Self {
        let line = Rc::new(Line {
            paces,
            ..Line::default()
        });
        let task = connection::run(Rc::clone(&line), login, cluster);
        Self {
            line,
            task: tokio::task::spawn_local(task).abort_handle(),
        }
    }

    /// Takes a command that [`vet`] has passed. It goes out with the next write, behind those taken
    /// before. Past its deadline its connection is given up, as nobody knows what the Redis does.
    ///
    /// # Errors
    ///
    /// [`Busy`]: nothing was taken.
    pub(crate) fn send(&self, query: Bytes, deadline: Instant) -> Result<Answer, Busy> {
        let line = &self.line;
        let bytes = line.waiting_bytes.get() + query.len();
        if line.count.get() >= limits::REDIS_COMMANDS_MAX || bytes > limits::REDIS_QUEUE_BYTES_MAX {
            return Err(Busy);
        }
        let (reply, answer) = oneshot::channel();
        line.waiting_bytes.set(bytes);
        line.count.set(line.count.get() + 1);
        line.waiting.borrow_mut().push_back(Command {
            query,
            deadline,
            reply,
        });
        line.news.notify_one();
        Ok(answer)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    /// The next command that somebody still waits for.
    fn next(&self) -> Option<Command> {
        loop {
            let command = self.waiting.borrow_mut().pop_front()?;
            let bytes = self.waiting_bytes.get() - command.query.len();
            self.waiting_bytes.set(bytes);
            if !command.reply.is_closed() {
                return Some(command);
            }
            self.ended();
        }
    }

    /// A command has its reply, or never will.
    fn ended(&self) {
        self.count.set(self.count.get() - 1);
    }

    /// Waits until a command is there. Cancel safe.
    async fn filled(&self) {
        while self.waiting.borrow().is_empty() {
            self.news.notified().await;
        }
    }

    /// When the first of the waiting commands is late.
    fn deadline(&self) -> Option<Instant> {
        let waiting = self.waiting.borrow();
        waiting.front().map(|command| command.deadline)
    }

    /// No connection can be had: nothing that waits now goes out. Dropping a command tells its
    /// sender. With `refusal`, a reply of the Redis says why.
    fn fail(&self, refusal: Option<&Bytes>) {
        while let Some(command) = self.next() {
            self.ended();
            if let Some(refusal) = refusal {
                // Its sender may be gone.
                let _ = command.reply.send(refusal.clone());
            }
        }
    }
}
