//! One plugin's process as the gateway sees it: what is asked of it, what it answers, how it ends.

use std::cell::OnceCell;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::rc::Rc;
use std::time::{Duration, Instant};

use weir_maps::{MapCall, MapError};
use weir_model::limits;

use super::tab::Tab;
use crate::apart::calls::{Allowed, Stage};
use crate::apart::link::{Link, LinkError, Patience};
use crate::apart::marks::lasts;
use crate::apart::walls::Report;
use crate::apart::wire::{self, Ending, FromPlugin, ToPlugin, Violation};
use crate::door::{Answer, Call, Cause, Failure, Reply, Status, Stop, World};
use crate::snapshot::Reset;
use crate::vm::{START_SECTION, StartError};

/// How long the end of a process whose socket closed is waited for, to say why it ended.
const END_TIME: Duration = Duration::from_millis(50);
/// Functions that start a module, as a plugin's process may name them.
const STARTERS: [&str; 5] = [
    START_SECTION,
    "_initialize",
    "main",
    "__main_void",
    "_start",
];

/// A plugin's process and what is asked of it.
pub(super) struct Process {
    pub(super) link: Link,
    /// The other end is held by the process alone.
    pub(super) notice: UnixStream,
    pub(super) child: Option<Child>,
    pub(super) start_limit: Duration,
    /// Why it is of no use any more.
    pub(super) lost: Option<String>,
    /// VMs that it was asked for.
    pub(super) vms: u32,
    /// Snapshots that it was asked for.
    pub(super) snapshots: u32,
    pub(super) walls: Rc<[Report]>,
}

/// How the plugin's process answered, when it did.
pub(super) enum Settled {
    Started { hears: u32, memory_bytes: u64 },
    NotStarted(StartError),
    Kept,
    NotKept(String),
    WasReset(Reset),
    Returned { result: i32, memory_bytes: u64 },
    Failed(Failure),
}

/// What is asked of a plugin's process, on behalf of whom, and how long that may take.
pub(super) struct Asked<'w, W> {
    pub(super) world: &'w mut W,
    pub(super) allowed: Allowed,
    pub(super) stage: Stage,
    pub(super) limit: Duration,
    pub(super) tab: &'w mut Tab,
}

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// The other side has not answered anything.
    Sent,
    /// It has.
    Heard,
}

/// Waits until some time.
pub(super) struct Until(pub(super) Instant);

impl Patience for Until {
    fn lasts(&mut self) -> bool {
        Instant::now() < self.0
    }
}

impl Process {
    /// Waits until it is ready; what its walls became.
    pub(super) fn ready(&mut self) -> Result<Result<Vec<Report>, StartError>, LinkError> {
        let mut patience = Until(Instant::now() + limits::APART_READY_TIME);
        match wire::decode(self.link.receive(&mut patience)?)? {
            FromPlugin::Ready { walls } => Ok(Ok(walls)),
            FromPlugin::Unable { reason } => Ok(Err(StartError::Process(wire::cut(reason)))),
            _ => Err(Violation("it did not say whether it is ready").into()),
        }
    }

    /// Asks something and answers the guest's calls until it is settled.
    pub(super) fn ask<W: World>(
        &mut self,
        message: &ToPlugin,
        asked: Asked<'_, W>,
    ) -> Result<Settled, Failure> {
        if let Some(why) = &self.lost {
            return Err(Cause::Lost(why.clone()).into());
        }
        let limit = asked.limit;
        let mut progress = Progress::Sent;
        self.converse(message, asked, &mut progress)
            .map_err(|error| {
                let why = self.lose(&error);
                match error {
                    LinkError::Silent => Cause::Deadline(limit).into(),
                    LinkError::Unread if progress == Progress::Sent => Cause::Lost(why).into(),
                    _ => Cause::Process(why).into(),
                }
            })
    }

    /// Asks something during which no guest runs.
    pub(super) fn order<W: World>(
        &mut self,
        message: &ToPlugin,
        world: &mut W,
    ) -> Result<Settled, Failure> {
        let asked = Asked {
            world,
            allowed: Allowed::NOTHING,
            stage: Stage::Idle,
            limit: self.start_limit,
            tab: &mut Tab::default(),
        };
        self.ask(message, asked)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "it lends the world to one conversation"
    )]
    fn converse<W: World>(
        &mut self,
        message: &ToPlugin,
        asked: Asked<'_, W>,
        progress: &mut Progress,
    ) -> Result<Settled, LinkError> {
        if self.link.is_ahead() {
            return Err(Violation("it spoke before it was asked").into());
        }
        let longest = asked.limit.saturating_mul(2) + limits::APART_GRACE;
        let mut patience = Until(Instant::now() + longest);
        let mut stop = None;
        self.link.send(message, &mut patience)?;
        loop {
            let batch = OnceCell::new();
            let told = wire::decode_with(self.link.receive(&mut patience)?, &batch)?;
            *progress = Progress::Heard;
            let call = match told {
                FromPlugin::Call(call) => call,
                FromPlugin::Exceeded(what) if asked.stage != Stage::Idle => {
                    asked.world.exceeded(what);
                    if !patience.lasts() {
                        return Err(LinkError::Silent);
                    }
                    continue;
                }
                FromPlugin::Memory(bytes) if stop.is_none() => {
                    let reply = if asked.tab.take(bytes) {
                        Reply::Done
                    } else {
                        Reply::Refused(Status::InternalFailure)
                    };
                    if !patience.lasts() {
                        return Err(LinkError::Silent);
                    }
                    self.link.send(&ToPlugin::Reply(reply), &mut patience)?;
                    continue;
                }
                other => return settle(other, asked.stage, stop).map_err(Into::into),
            };
            asked.allowed.check(&call, asked.stage)?;
            // One that always has something to say never keeps anybody waiting.
            if !patience.lasts() {
                return Err(LinkError::Silent);
            }
            if stop.is_some() {
                return Err(Violation("it went on after it was stopped").into());
            }
            let is_lasting = lasts(&call);
            let answer = match reply_to(asked.world, call) {
                Ok(reply) => {
                    asked.tab.has_acted |= is_lasting && !is_refusal(&reply);
                    ToPlugin::Reply(reply)
                }
                Err(why) => {
                    stop = Some(why);
                    ToPlugin::Stop
                }
            };
            match self.link.send(&answer, &mut patience) {
                Err(LinkError::TooLong) => {
                    let refused = Reply::Refused(Status::InternalFailure);
                    self.link.send(&ToPlugin::Reply(refused), &mut patience)?;
                }
                outcome => outcome?,
            }
        }
    }

    /// Ends the process because of an error, and says why it is lost.
    pub(super) fn lose(&mut self, error: &LinkError) -> String {
        if let Some(why) = &self.lost {
            return why.clone();
        }
        let ended = match error {
            LinkError::Closed | LinkError::Unread => self.child.as_mut().and_then(soon_ended),
            _ => None,
        };
        self.end();
        let why = ended.map_or_else(|| error.to_string(), end_text);
        self.lost.get_or_insert(why).clone()
    }

    /// Ends the process. Somebody else waits for it to be gone.
    fn end(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // It fails only for a process that is gone.
        let _ = child.kill();
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        let waiting = std::thread::Builder::new()
            .name("weir-reaper".to_owned())
            .spawn(move || child.wait());
        if let Err(error) = waiting {
            tracing::warn!(%error, "nobody waits for a plugin's process that was ended");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn reply_to<W: World>(world: &mut W, call: Call<'_>) -> Result<Reply, Stop> {
    // Pages of a region do not cross over to a process; the world is not asked for them.
    if let Call::Map(MapCall::RegionMap { .. } | MapCall::RegionUnmap { .. }) = call {
        let refused = MapError::NotSupported("regions of another process");
        return Ok(Reply::Map(refused.into()));
    }
    match world.call(call)? {
        Answer::Ready(reply) => Ok(reply),
        Answer::Pending(_) => Err(Stop::CannotWait),
    }
}

fn is_refusal(reply: &Reply) -> bool {
    match reply {
        Reply::Refused(_) => true,
        Reply::Map(reply) => reply.errno() != 0,
        Reply::Done
        | Reply::Bytes(_)
        | Reply::Number(_)
        | Reply::Entry(..)
        | Reply::Outcome(..) => false,
    }
}

/// What the last word of an answer means.
fn settle(told: FromPlugin<'_>, stage: Stage, stop: Option<Stop>) -> Result<Settled, Violation> {
    use FromPlugin::{Failed, Kept, NotKept, NotStarted, Returned, Started, WasReset};
    use Stage::{Idle, Running, Starting};
    Ok(match (told, stage) {
        (
            Started {
                hears,
                memory_bytes,
            },
            Starting | Idle,
        ) if stop.is_none() => Settled::Started {
            hears,
            memory_bytes,
        },
        (
            NotStarted {
                export,
                ending,
                trace,
            },
            Starting | Idle,
        ) => {
            if let Ending::TooLarge(limit) = ending {
                return Ok(Settled::NotStarted(StartError::TooLarge(limit)));
            }
            let failure = ending.into_failure(trace, stop)?;
            Settled::NotStarted(start_error(export, failure)?)
        }
        (
            Returned {
                result,
                memory_bytes,
            },
            Running,
        ) if stop.is_none() => Settled::Returned {
            result,
            memory_bytes,
        },
        (Failed { ending, trace }, Running) => Settled::Failed(ending.into_failure(trace, stop)?),
        (Kept, Idle) => Settled::Kept,
        (NotKept { reason }, Idle) => Settled::NotKept(wire::cut(reason)),
        (WasReset(how), Idle) => Settled::WasReset(how),
        _ => return Err(Violation("it gave an answer to something else")),
    })
}

fn start_error(export: &str, failure: Failure) -> Result<StartError, Violation> {
    if export.is_empty() {
        return Ok(StartError::Instantiate(failure.to_string()));
    }
    let known = STARTERS.into_iter().find(|known| *known == export);
    let export = known.ok_or(Violation("it names a start function that no module has"))?;
    Ok(StartError::Start { export, failure })
}

/// How a process ended whose socket has just closed.
fn soon_ended(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + END_TIME;
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(1)),
            Ok(ended) => return ended,
            Err(_) => return None,
        }
    }
}

fn end_text(status: ExitStatus) -> String {
    match status.signal() {
        Some(libc::SIGSYS) => "it made a system call that it may not make (SIGSYS)".to_owned(),
        Some(libc::SIGKILL) => {
            "it was killed (SIGKILL): by somebody, or for want of memory".to_owned()
        }
        Some(libc::SIGSEGV) => "it crashed (SIGSEGV)".to_owned(),
        Some(signal) => format!("it was ended by signal {signal}"),
        None => format!("it ended by itself ({status})"),
    }
}
