//! One request: to the right server, again where that is safe, and no longer than its deadline.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value as Reply, cmd};
use weir_maps::MapError;
use weir_model::limits::redis as limits;

use super::hub::Hub;
use super::node::Node;
use super::{Ask, jittered};
use crate::redis::Trouble;
use crate::redis::script::{self, Request};
use crate::redis::store::Core;

/// How far a request has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It was not sent, or certainly not done.
    Waits,
    /// Perhaps done.
    Sent,
}

/// Whom a request was with last, and what they said.
type Last = Option<(Rc<Node>, Option<String>)>;

/// What becomes of a request after a reply.
enum Next {
    Answer(Reply),
    Fail(MapError),
    /// It was not done: again there. `asking`: this once.
    Elsewhere {
        node: Rc<Node>,
        asking: bool,
    },
    /// It was not done: again where it belongs, after a pause.
    Pause(String),
    /// It was not done: the server must be told of the script.
    Load,
}

/// Answers a request.
pub(super) async fn answer(hub: Rc<Hub>, ask: Ask) {
    if ask.reply.is_closed() {
        return;
    }
    let result = within(&hub, &ask.core, ask.part, &ask.request, ask.until).await;
    drop(ask.seat);
    // Whoever asked may have gone.
    let _ = ask.reply.send(result);
}

/// Does a request before its deadline.
pub(super) async fn within(
    hub: &Hub,
    core: &Core,
    part: usize,
    request: &Request,
    until: Instant,
) -> Result<Reply, MapError> {
    let stage = Cell::new(Stage::Waits);
    let last: Cell<Last> = Cell::new(None);
    let doing = async {
        attach(hub, core, (&stage, &last)).await?;
        stage.set(Stage::Waits);
        Errand {
            hub,
            slot: core.parts[part].slot,
            stage: &stage,
            last: &last,
        }
        .run(request)
        .await
    };
    let done = tokio::time::timeout_at(until.into(), doing).await;
    done.unwrap_or_else(|_| {
        let slot = core.parts[part].slot;
        let Some((node, why)) = last.take() else {
            return Err(MapError::Io(hub.why(slot)));
        };
        match (stage.get(), why) {
            (Stage::Sent, _) => {
                node.silent(hub.config.deadline);
                Err(MapError::TimedOut)
            }
            (Stage::Waits, Some(why)) => Err(MapError::Io(why)),
            (Stage::Waits, None) => Err(MapError::Io(node.why())),
        }
    })
}

/// Agrees with the servers on how many slots the map is spread over: entries are looked for where
/// that number says.
async fn attach(
    hub: &Hub,
    core: &Core,
    (stage, last): (&Cell<Stage>, &Cell<Last>),
) -> Result<(), MapError> {
    if core.attached.load(Ordering::Relaxed) {
        return Ok(());
    }
    let slots = core.parts.len();
    let request = core.run(&script::ATTACH, 0).with(slots);
    let slot = core.parts[0].slot;
    let errand = Errand {
        hub,
        slot,
        stage,
        last,
    };
    let reply = errand.run(&request).await?;
    let parts = crate::redis::replies::done(reply, &core.common)?;
    let there = crate::redis::replies::number(crate::redis::replies::at(&parts, 0)?)?;
    if there != slots as u64 {
        return Err(MapError::Io(format!(
            "the map {} is spread over {there} slots there, and over {slots} by this configuration",
            core.name
        )));
    }
    core.attached.store(true, Ordering::Relaxed);
    Ok(())
}

/// A request under way.
struct Errand<'a> {
    hub: &'a Hub,
    slot: u16,
    stage: &'a Cell<Stage>,
    last: &'a Cell<Last>,
}

impl Errand<'_> {
    async fn run(&self, request: &Request) -> Result<Reply, MapError> {
        let mut sent_to = None;
        loop {
            let (node, asking) = match sent_to.take() {
                Some(there) => there,
                None => (self.hub.owner(self.slot).await, false),
            };
            self.last.set(Some((Rc::clone(&node), None)));
            let (which, mut connection) = node.connection().await;
            self.stage.set(Stage::Sent);
            let reply = send(&mut connection, request, asking).await;
            if reply.is_ok() {
                node.heard();
            }
            let next = self.judge(reply, request, (&node, which));
            if !matches!(next, Next::Answer(_) | Next::Fail(_)) {
                self.stage.set(Stage::Waits);
            }
            match next {
                Next::Answer(reply) => return Ok(reply),
                Next::Fail(error) => return Err(error),
                Next::Elsewhere { node, asking } => sent_to = Some((node, asking)),
                Next::Load => load(&mut connection, request).await,
                Next::Pause(why) => {
                    self.last.set(Some((node, Some(why))));
                    tokio::time::sleep(jittered(limits::RETRY_PAUSE)).await;
                }
            }
        }
    }

    /// Tells the operator what a server said.
    fn tell(&self, node: &Node, error: &RedisError) {
        let (server, why) = (node.target.to_string(), error.to_string());
        self.hub.config.tell(&server, Trouble::Refuses, &why);
    }

    fn judge(
        &self,
        reply: Result<Reply, RedisError>,
        request: &Request,
        (node, which): (&Rc<Node>, u64),
    ) -> Next {
        let error = match reply {
            Ok(Reply::ServerError(error)) => RedisError::from(error),
            Ok(reply) => return Next::Answer(reply),
            Err(error) => error,
        };
        if error.code().is_none() {
            node.give_up(which, &error.to_string());
            if request.repeatable {
                return Next::Pause(error.to_string());
            }
            return Next::Fail(MapError::Io(format!(
                "{}: {error}; it may have been done",
                node.target
            )));
        }
        let why = format!("{}: {error}", node.target);
        match error.code().unwrap_or_default() {
            "NOSCRIPT" => Next::Load,
            code @ ("MOVED" | "ASK") => match error.redirect_node() {
                Some((address, _)) => {
                    let asking = code == "ASK";
                    if !asking {
                        self.hub.stale.notify_one();
                    }
                    let node = self.hub.node(&there(address, node));
                    Next::Elsewhere { node, asking }
                }
                None => Next::Pause(why),
            },
            "READONLY" | "MASTERDOWN" | "LOADING" => {
                // It is no primary any more, or not yet: another one may be.
                node.give_up(which, &error.to_string());
                self.hub.stale.notify_one();
                Next::Pause(why)
            }
            "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" => {
                self.hub.stale.notify_one();
                Next::Pause(why)
            }
            "OOM" => {
                self.tell(node, &error);
                Next::Fail(MapError::NoSpace {
                    what: "bytes of the server's memory (its maxmemory)",
                    max: 0,
                })
            }
            _ => {
                self.tell(node, &error);
                Next::Fail(MapError::Io(why))
            }
        }
    }
}

/// The address of a redirection. A node that does not know its own name leaves it out: that by which
/// it was asked is good.
fn there(address: &str, asked: &Node) -> String {
    match (
        address.strip_prefix(':'),
        asked.target.to_string().rsplit_once(':'),
    ) {
        (Some(port), Some((host, _))) => format!("{host}:{port}"),
        _ => address.to_owned(),
    }
}

/// Sends a request; what has no script is preceded by `TIME`, for entries that end.
async fn send(
    connection: &mut MultiplexedConnection,
    request: &Request,
    asking: bool,
) -> Result<Reply, RedisError> {
    let timed = request.script.is_none();
    if !timed && !asking {
        return connection.send_packed_command(&request.command).await;
    }
    let mut pipeline = Pipeline::with_capacity(3);
    if timed {
        pipeline.add_command(cmd("TIME"));
    }
    if asking {
        pipeline.add_command(cmd("ASKING"));
    }
    pipeline.add_command(request.command.clone());
    let count = usize::from(timed) + usize::from(asking) + 1;
    let mut replies = connection.send_packed_commands(&pipeline, 0, count).await?;
    let reply = replies.pop().unwrap_or_default();
    if !timed || matches!(reply, Reply::ServerError(_)) {
        return Ok(reply);
    }
    replies.truncate(1);
    replies.push(reply);
    Ok(Reply::Array(replies))
}

/// Tells a server of a script. If that fails, so will the next try, and say why.
async fn load(connection: &mut MultiplexedConnection, request: &Request) {
    if let Some(script) = request.script {
        let mut command = cmd("SCRIPT");
        command.arg("LOAD").arg(&script.source);
        let _ = connection.send_packed_command(&command).await;
    }
}
