//! A map: its operations as requests, and their replies as answers.

mod spread;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis::{Cmd, Value as Reply};
use weir_maps::numbers::{Known, Trips};
use weir_maps::store::{Condition, Counted, Done, Found, Op, Page, Range, Seen, Stat, Terms};
use weir_maps::watch::Watchers;
use weir_maps::{Answer, MapError, MapOptions, Store, Value, Watch};
use weir_model::limits::maps as limits;

use super::link::Link;
use super::names::{Part, part_of};
use super::script::{self, Common, Request, Script};
use super::{RedisMap, RedisStoreConfig, replies};

/// What is known of a map, here and on the thread of its back end.
pub(super) struct Core {
    /// No two maps of this process have the same.
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) parts: Box<[Part]>,
    pub(super) common: Common,
    pub(super) watchers: Watchers,
    /// The server agrees on how many slots it is spread over.
    pub(super) attached: AtomicBool,
    /// Requests of guests and operators.
    pub(super) trips: Trips,
    /// Entries, bytes and version of each part, as it was swept last.
    swept: Mutex<Vec<Option<[u64; 3]>>>,
    expired: AtomicU64,
    options: MapOptions,
    deadline: Duration,
}

/// A map that is kept in Redis.
pub struct RedisStore {
    core: Arc<Core>,
    link: Arc<Link>,
}

impl Core {
    pub(super) fn new(
        config: &RedisStoreConfig,
        map: RedisMap<'_>,
        options: MapOptions,
    ) -> Arc<Self> {
        static CORES: AtomicU64 = AtomicU64::new(0);
        let part = |number| Part::new(&config.prefix, (map.scope, map.name), number);
        let share = u64::from(map.slots);
        let cluster = config.kind == super::RedisKind::Cluster;
        Arc::new(Self {
            id: CORES.fetch_add(1, Ordering::Relaxed),
            name: format!("{}/{}", map.scope, map.name),
            parts: (0..map.slots).map(part).collect(),
            common: Common {
                entries_max: options.entries_max / share,
                bytes_max: options.bytes_max / share,
                ttl_ms: options.ttl.map_or(0, milliseconds),
                publish: if cluster { "SPUBLISH" } else { "PUBLISH" },
            },
            watchers: Watchers::default(),
            attached: AtomicBool::new(false),
            trips: Trips::default(),
            swept: Mutex::new(vec![None; usize::from(map.slots)]),
            expired: AtomicU64::new(0),
            options,
            deadline: config.deadline,
        })
    }

    /// A part was swept: so many entries had ended, and these numbers are left.
    pub(super) fn note_sweep(&self, part: usize, expired: u64, left: [u64; 3]) {
        self.expired.fetch_add(expired, Ordering::Relaxed);
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = swept.get_mut(part) {
            *known = Some(left);
        }
    }

    /// Numbers as of the last sweep; `None`: not all parts were swept yet.
    fn swept(&self) -> Option<Stat> {
        let swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stat = self.stat();
        for part in swept.iter() {
            let [entries, bytes, version] = (*part)?;
            stat.entries += entries;
            stat.bytes += bytes;
            stat.version = stat.version.max(version);
        }
        Some(stat)
    }

    /// What is known here.
    fn stat(&self) -> Stat {
        Stat {
            quota_bytes: self.options.bytes_max,
            watches: self.watchers.len() as u64,
            expired: self.expired.load(Ordering::Relaxed),
            ..Stat::default()
        }
    }

    pub(super) fn until(&self) -> Instant {
        Instant::now() + self.deadline
    }

    /// A run of a script on one of the parts.
    pub(super) fn run(&self, script: &'static Script, part: usize) -> Request {
        script.run(&self.parts[part], &self.common)
    }

    fn part(&self, key: &[u8]) -> usize {
        part_of(key, self.parts.len())
    }
}

impl RedisStore {
    pub(super) fn new(core: Arc<Core>, link: Arc<Link>) -> Self {
        link.tend(&core);
        Self { core, link }
    }

    /// Sends a request and reads the reply of its script.
    fn ask<T: 'static>(
        &self,
        part: usize,
        request: Request,
        read: impl FnOnce(Vec<Reply>) -> Result<T, MapError> + 'static,
    ) -> Answer<T> {
        let common = self.core.common;
        let reply = self.link.send(&self.core, part, request);
        Answer::Later(Box::pin(async move {
            read(replies::done(reply.await?, &common)?)
        }))
    }
}

impl Store for RedisStore {
    fn read<R>(
        &self,
        key: &[u8],
        _see: &mut impl FnMut(Seen<'_>) -> R,
    ) -> Answer<Option<R>, Option<Found>> {
        if let Err(error) = self.core.options.admit(key, None, None) {
            return Answer::Now(Err(error));
        }
        let part = self.core.part(key);
        let mut command = Cmd::new();
        command
            .arg("HGET")
            .arg(&self.core.parts[part].keys[0])
            .arg(key);
        let request = Request {
            command,
            script: None,
            repeatable: true,
        };
        let reply = self.link.send(&self.core, part, request);
        Answer::Later(Box::pin(async move { replies::found(reply.await?) }))
    }

    fn write(&self, key: &[u8], value: Value, terms: Terms) -> Answer<u64> {
        if let Err(error) = self.core.options.admit(key, Some(&value), terms.ttl) {
            return Answer::Now(Err(error));
        }
        let Some(bytes) = value.bytes() else {
            return Answer::Now(Err(MapError::NotSupported("references to other maps")));
        };
        let part = self.core.part(key);
        let request = self
            .core
            .run(&script::SET, part)
            .with(key)
            .with(bytes)
            .with(condition(terms.condition))
            .with(time(terms.ttl));
        self.ask(part, request, |parts| {
            replies::number(replies::at(&parts, 0)?)
        })
    }

    fn remove(&self, key: &[u8], only_if: Condition) -> Answer<()> {
        if let Err(error) = self.core.options.admit(key, None, None) {
            return Answer::Now(Err(error));
        }
        let part = self.core.part(key);
        let request = self
            .core
            .run(&script::REMOVE, part)
            .with(key)
            .with(condition(only_if));
        self.ask(part, request, |_| Ok(()))
    }

    fn add(&self, key: &[u8], delta: i64) -> Answer<Counted> {
        if let Err(error) = self.core.options.admit(key, None, None) {
            return Answer::Now(Err(error));
        }
        let part = self.core.part(key);
        let request = self
            .core
            .run(&script::ADD, part)
            .with(key)
            .with(&delta.to_le_bytes()[..]);
        self.ask(part, request, |parts| {
            replies::counted(replies::at(&parts, 0)?, replies::at(&parts, 1)?)
        })
    }

    fn scan(&self, range: Range<'_>) -> Answer<Page> {
        spread::scan(self, range)
    }

    fn batch(&self, ops: &[Op]) -> Answer<Vec<Done>> {
        match self.batch_request(ops) {
            Ok(None) => Answer::Now(Ok(vec![])),
            Ok(Some((part, request))) => {
                let kinds: Vec<Op> = ops.to_vec();
                self.ask(part, request, move |parts| {
                    let parts = parts.iter().map(Some).chain(std::iter::repeat(None));
                    kinds
                        .iter()
                        .zip(parts)
                        .map(|(op, part)| outcome(op, part))
                        .collect()
                })
            }
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn clear(&self) -> Answer<u64> {
        if self.core.parts.len() > 1 {
            let what = "clearing a map that is spread over several slots: it would not be one step";
            return Answer::Now(Err(MapError::NotSupported(what)));
        }
        let request = self.core.run(&script::CLEAR, 0);
        self.ask(0, request, |parts| replies::number(replies::at(&parts, 0)?))
    }

    fn watch(&self, prefix: &[u8]) -> Answer<Watch> {
        let watch = match self.core.watchers.add(prefix) {
            Ok(watch) => watch,
            Err(error) => return Answer::Now(Err(error)),
        };
        let followed = self.link.follow(&self.core);
        Answer::Later(Box::pin(async move {
            followed.await?;
            Ok(watch)
        }))
    }

    fn stat(&self) -> Answer<Stat> {
        spread::stat(self)
    }

    fn known(&self) -> Known {
        Known {
            stat: self.core.swept(),
            traffic: Some(self.core.trips.traffic()),
            near: None,
        }
    }
}

impl RedisStore {
    /// The part that a batch is about, and what to ask of it; `None`: there is nothing to do.
    fn batch_request(&self, ops: &[Op]) -> Result<Option<(usize, Request)>, MapError> {
        self.core.options.admit_all(ops)?;
        let Some(part) = ops.first().map(|op| self.core.part(op.key())) else {
            return Ok(None);
        };
        if ops.iter().any(|op| self.core.part(op.key()) != part) {
            let what = "a batch over several slots of a map that is spread";
            return Err(MapError::NotSupported(what));
        }
        let mut request = self.core.run(&script::BATCH, part);
        for op in ops {
            request = match op {
                Op::Check(key, terms) => {
                    let value: &[u8] = b"";
                    staged(
                        request,
                        ("C", key),
                        value,
                        (condition(*terms), String::new()),
                    )
                }
                Op::Set(key, value, terms) => {
                    let what = "references to maps in a batch";
                    let value = value.bytes().ok_or(MapError::NotSupported(what))?;
                    let (only_if, ttl) = (condition(terms.condition), time(terms.ttl));
                    staged(request, ("S", key), value, (only_if, ttl))
                }
                Op::Delete(key) => staged(request, ("D", key), b"", Default::default()),
                Op::Add(key, delta) => staged(
                    request,
                    ("A", key),
                    &delta.to_le_bytes(),
                    Default::default(),
                ),
            };
        }
        Ok(Some((part, request)))
    }
}

fn staged(
    request: Request,
    (what, key): (&str, &Bytes),
    value: &[u8],
    (condition, ttl): (String, String),
) -> Request {
    request
        .with(what)
        .with(&key[..])
        .with(value)
        .with(condition)
        .with(ttl)
}

fn outcome(op: &Op, reply: Option<&Reply>) -> Result<Done, MapError> {
    let reply = reply.ok_or_else(replies::strange)?;
    Ok(match op {
        Op::Check(..) => Done::Checked(replies::number(reply)?),
        Op::Set(..) => Done::Stored(replies::number(reply)?),
        Op::Delete(_) => Done::Deleted(replies::number(reply)? == 1),
        Op::Add(..) => {
            let Reply::Array(pair) = reply else {
                return Err(replies::strange());
            };
            Done::Counted(replies::counted(
                replies::at(pair, 0)?,
                replies::at(pair, 1)?,
            )?)
        }
    })
}

/// As the scripts take it. Nothing has the version 0, so a condition on that never holds.
fn condition(condition: Condition) -> String {
    match condition {
        Condition::Always => String::new(),
        Condition::Absent => "0".to_owned(),
        Condition::Version(0) => "never".to_owned(),
        Condition::Version(version) => version.to_string(),
    }
}

fn time(ttl: Option<Duration>) -> String {
    ttl.map(|ttl| milliseconds(ttl).to_string())
        .unwrap_or_default()
}

/// As many as the scripts count exactly.
fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).map_or(1 << 53, |milliseconds| milliseconds.min(1 << 53))
}

/// Bytes that count as one entry's.
pub(super) fn packed(item: &weir_maps::store::Item) -> usize {
    weir_maps::store::Item::packed_bytes(item.key.len(), item.value.length())
}

/// Pages are bounded whatever is asked for.
fn entries_of(range: &Range<'_>) -> usize {
    range.entries.min(limits::PAGE_ENTRIES_MAX)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("map", &self.core.name)
            .finish_non_exhaustive()
    }
}
