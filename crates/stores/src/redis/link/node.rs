//! One server: a connection that is kept open, or opened again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use tokio::sync::Notify;
use weir_model::limits::redis as limits;

use super::connect::{self, Target};
use super::jittered;
use crate::redis::{Setup, Trouble};

/// A server that requests are sent to.
pub(super) struct Node {
    pub(super) target: Target,
    config: Arc<Setup>,
    connection: RefCell<Option<MultiplexedConnection>>,
    /// Connections that there were, with this one.
    count: Cell<u64>,
    /// Why there is no connection.
    why: RefCell<String>,
    /// When something was last heard from it.
    heard: Cell<Instant>,
    /// There is another connection, or none any more.
    changed: Notify,
    broken: Notify,
    retired: Cell<bool>,
    /// Whom to tell that it cannot be reached.
    lost: Rc<Notify>,
}

impl Node {
    /// Begins to keep a connection open.
    pub(super) fn start(config: &Arc<Setup>, target: Target, lost: &Rc<Notify>) -> Rc<Self> {
        let node = Rc::new(Self {
            target,
            config: Arc::clone(config),
            connection: RefCell::new(None),
            count: Cell::new(0),
            why: RefCell::new("not connected yet".to_owned()),
            heard: Cell::new(Instant::now()),
            changed: Notify::new(),
            broken: Notify::new(),
            retired: Cell::new(false),
            lost: Rc::clone(lost),
        });
        drop(tokio::task::spawn_local(Rc::clone(&node).keep()));
        node
    }

    /// The connection, as soon as there is one, and which one it is.
    pub(super) async fn connection(&self) -> (u64, MultiplexedConnection) {
        loop {
            // Before the look, so that nothing is missed between the two.
            let changed = self.changed.notified();
            if let Some(connection) = self.connection.borrow().as_ref() {
                return (self.count.get(), connection.clone());
            }
            changed.await;
        }
    }

    /// The connection, if there is one.
    pub(super) fn connected(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }

    /// Why there is none.
    pub(super) fn why(&self) -> String {
        format!("no connection to {}: {}", self.target, self.why.borrow())
    }

    /// It answered.
    pub(super) fn heard(&self) {
        self.heard.set(Instant::now());
    }

    /// It did not answer in time. If it has been silent for as long as that its connection is given
    /// up: what is in flight may never be answered.
    pub(super) fn silent(&self, since: Duration) {
        if self.heard.get().elapsed() >= since {
            self.give_up(self.count.get(), "it is silent");
        }
    }

    /// This connection is of no use any more. There may be another one by now: that stays.
    pub(super) fn give_up(&self, which: u64, why: &str) {
        if self.lose(which, why) {
            self.broken.notify_one();
        }
    }

    fn lose(&self, which: u64, why: &str) -> bool {
        let this = which == self.count.get() && self.connection.borrow_mut().take().is_some();
        if this {
            why.clone_into(&mut self.why.borrow_mut());
        }
        this
    }

    /// Nobody needs it any more.
    pub(super) fn retire(&self) {
        self.retired.set(true);
        self.lose(self.count.get(), "it left the cluster");
        self.broken.notify_one();
    }

    async fn keep(self: Rc<Self>) {
        let mut pause = limits::RECONNECT_FIRST;
        while !self.retired.get() {
            match connect::open(&self.config, &self.target, None).await {
                Ok((connection, driver)) => {
                    tracing::info!(server = %self.target, "connected to a back end");
                    pause = limits::RECONNECT_FIRST;
                    self.heard();
                    self.config.opened.fetch_add(1, Ordering::Relaxed);
                    self.count.set(self.count.get() + 1);
                    *self.connection.borrow_mut() = Some(connection);
                    self.changed.notify_waiters();
                    tokio::select! {
                        () = driver => drop(self.lose(self.count.get(), "the server closed it")),
                        () = self.broken.notified() => {}
                    }
                    tracing::warn!(server = %self.target, why = %self.why.borrow(), "lost a back end");
                    self.config.lost.fetch_add(1, Ordering::Relaxed);
                }
                Err(why) => {
                    let server = self.target.to_string();
                    self.config.tell(&server, Trouble::Unreachable, &why);
                    *self.why.borrow_mut() = why;
                }
            }
            self.lost.notify_one();
            tokio::select! {
                () = tokio::time::sleep(jittered(pause)) => {}
                () = self.broken.notified() => {}
            }
            pause = (pause * 2).min(limits::RECONNECT_MAX);
        }
    }
}
