//! One connection after the other: opened for a command, kept while it is used.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::frame::{FrameError, Scanner};
use super::{Command, Line, Login};
use crate::upstream::{Checkout, Cluster, ConnectError, Place};
use crate::world::one_line;

/// Bytes that are gathered for one write.
const WRITE_BYTES: usize = 64 << 10;
/// Room for one read.
const READ_BYTES: usize = 16 << 10;

/// Why a connection ended, or did not come about.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the cluster has no endpoint that takes a connection now")]
    NoPlace,
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("{0}")]
    System(#[from] std::io::Error),
    #[error("the Redis closed the connection")]
    Closed,
    #[error("no reply in time")]
    Late,
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("more replies came than commands were sent")]
    Unasked,
    #[error("the database cannot be selected: {}", String::from_utf8_lossy(.0).trim_end())]
    Refused(Bytes),
}

/// A connection that is ready for commands.
struct Link {
    stream: TcpStream,
    inbox: BytesMut,
    /// Declared last: the place at the endpoint is free once the connection is gone.
    place: Place,
}

/// Serves the commands of one client for as long as the client is there.
pub(super) async fn run(line: Rc<Line>, login: Login, cluster: Rc<Cluster>) {
    loop {
        line.filled().await;
        let Some(deadline) = line.deadline() else {
            continue;
        };
        let opened = tokio::time::timeout_at(deadline, Link::open(&line, &login, &cluster)).await;
        let end = match opened.unwrap_or(Err(Broken::Late)) {
            Ok(link) => {
                let end = link.serve(&line, cluster.model().idle_timeout).await;
                let Err(broken) = end else { continue };
                broken
            }
            Err(broken) => {
                let refusal = match &broken {
                    Broken::Refused(reply) => Some(reply),
                    _ => None,
                };
                line.fail(refusal);
                broken
            }
        };
        if let Some(untold) = line.paces.ended.take() {
            let end = end.to_string();
            tracing::warn!(
                cluster = login.cluster,
                database = login.database,
                untold,
                "the connection to Redis ended: {}",
                one_line(end.as_bytes())
            );
        }
    }
}

impl Link {
    async fn open(line: &Line, login: &Login, cluster: &Rc<Cluster>) -> Result<Self, Broken> {
        let place = cluster.admit(&[]).await.map_err(Broken::from)?;
        let (stream, place) = place.connect_bare().await.map_err(Broken::from)?;
        let mut link = Self {
            stream,
            inbox: BytesMut::new(),
            place,
        };
        link.log_in(line, login).await?;
        cluster.answered(&link.place.host, StatusCode::OK);
        Ok(link)
    }

    /// What each new connection begins with. A login that is refused is no failure here: the Redis
    /// answers every command with the reason, which is the plugin's to see. Another database than
    /// the one that was asked for is worse than none.
    async fn log_in(&mut self, line: &Line, login: &Login) -> Result<(), Broken> {
        if !login.password.is_empty() {
            let reply = match &login.username[..] {
                b"" => self.ask(&[b"AUTH", &login.password]).await?,
                name => self.ask(&[b"AUTH", name, &login.password]).await?,
            };
            if reply.starts_with(b"-")
                && let Some(untold) = line.paces.refused.take()
            {
                let reply = one_line(reply.trim_ascii_end());
                let cluster = &login.cluster;
                tracing::warn!(cluster, untold, "Redis refuses the login: {reply}");
            }
        }
        if login.database > 0 {
            let database = login.database.to_string();
            let reply = self.ask(&[b"SELECT", database.as_bytes()]).await?;
            if reply.starts_with(b"-") && !reply.starts_with(b"-NOAUTH") {
                return Err(Broken::Refused(reply));
            }
        }
        Ok(())
    }

    /// One command of our own, with its reply.
    async fn ask(&mut self, parts: &[&[u8]]) -> Result<Bytes, Broken> {
        let mut query = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            query.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            query.extend_from_slice(part);
            query.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&query).await?;
        let mut scanner = Scanner::default();
        loop {
            if let Some(end) = scanner.scan(&self.inbox)? {
                return Ok(self.inbox.split_to(end).freeze());
            }
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(Broken::Closed);
            }
        }
    }

    /// Carries commands and replies. `Ok`: the connection was idle for `idle`, and nothing is lost.
    async fn serve(mut self, line: &Line, idle: Duration) -> Result<(), Broken> {
        let mut flight = Flight::new(line);
        let mut outbox = BytesMut::new();
        let mut scanner = Scanner::default();
        let (mut read, mut write) = self.stream.split();
        loop {
            while outbox.len() < WRITE_BYTES
                && let Some(command) = line.next()
            {
                outbox.extend_from_slice(&command.query);
                flight.take(command);
            }
            let limit = flight.deadline();
            let is_idle = limit.is_none();
            let until = limit.unwrap_or_else(|| Instant::now() + idle);
            self.inbox.reserve(READ_BYTES);
            tokio::select! {
                bytes = read.read_buf(&mut self.inbox) => {
                    if bytes? == 0 {
                        return if is_idle { Ok(()) } else { Err(Broken::Closed) };
                    }
                    while !self.inbox.is_empty()
                        && let Some(end) = scanner.scan(&self.inbox)?
                    {
                        flight.answer(self.inbox.split_to(end).freeze())?;
                    }
                }
                bytes = write.write(&outbox), if !outbox.is_empty() => {
                    drop(outbox.split_to(bytes?));
                }
                () = line.filled(), if outbox.len() < WRITE_BYTES => {}
                () = tokio::time::sleep_until(until) => {
                    return if is_idle { Ok(()) } else {
                        self.place.cluster.failed(&self.place.host);
                        Err(Broken::Late)
                    };
                }
            }
        }
    }
}

/// The commands that were written, in order. Dropping it fails them: their senders are told.
struct Flight<'l> {
    line: &'l Line,
    commands: VecDeque<Command>,
}

impl<'l> Flight<'l> {
    fn new(line: &'l Line) -> Self {
        Self {
            line,
            commands: VecDeque::new(),
        }
    }

    fn take(&mut self, mut command: Command) {
        command.query = Bytes::new();
        self.commands.push_back(command);
    }

    /// When the Redis is too late with the reply that is due.
    fn deadline(&self) -> Option<Instant> {
        self.commands.front().map(|command| command.deadline)
    }

    fn answer(&mut self, reply: Bytes) -> Result<(), Broken> {
        let command = self.commands.pop_front().ok_or(Broken::Unasked)?;
        self.line.ended();
        // Its sender may be gone.
        let _ = command.reply.send(reply);
        Ok(())
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.commands.iter().for_each(|_| self.line.ended());
    }
}

impl From<Checkout> for Broken {
    fn from(checkout: Checkout) -> Self {
        match checkout {
            Checkout::NoHost | Checkout::Overflow => Self::NoPlace,
            Checkout::Connect(ConnectError::TimedOut) => Self::Connect("it takes too long".into()),
            Checkout::Connect(ConnectError::Failed(error)) => Self::Connect(error.to_string()),
            Checkout::Connect(ConnectError::Encryption(failure)) => {
                Self::Connect(failure.to_string())
            }
        }
    }
}
