//! What a map needs while it is used: its changes told to watchers, and what ended swept away.
//!
//! Scripts publish changes as long as somebody has said, within the last half minute, that it
//! watches. A message is lost only with its connection or with such a lease; both are noticed, and
//! told as a gap.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use redis::{PushInfo, PushKind, Value as Reply, cmd};
use tokio::sync::Notify;
use weir_maps::{Event, MapError};
use weir_model::limits::redis as limits;

use super::connect::{self, Driver, Pushed};
use super::hub::Hub;
use super::{jittered, serve};
use crate::redis::store::Core;
use crate::redis::{RedisKind, replies, script};

/// Who is followed, by map and part.
pub(super) type Followers = RefCell<HashMap<(u64, usize), Rc<Follower>>>;

/// A part whose changes are told.
pub(super) struct Follower {
    /// Changes are published, and come here.
    active: Cell<bool>,
    changed: Notify,
    why: RefCell<String>,
}

/// A subscription that is held.
struct Subscription {
    driver: Driver,
    heard: Arc<Heard>,
    /// Whom it is with, within a cluster.
    owner: String,
}

/// What came on a subscription.
struct Heard {
    /// The last version of a change.
    version: AtomicU64,
    /// The server ended it.
    over: Notify,
}

/// Why a subscription is held no longer.
#[derive(PartialEq, Eq)]
enum End {
    Lost(&'static str),
    Unused,
}

/// Comes back when all changes from now on are told to the map's watchers.
pub(super) async fn followed(
    hub: &Rc<Hub>,
    core: &Arc<Core>,
    until: Instant,
) -> Result<(), MapError> {
    for part in 0..core.parts.len() {
        let follower = follower(hub, core, part);
        let active = async {
            loop {
                let changed = follower.changed.notified();
                if follower.active.get() {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout_at(until.into(), active).await.is_err() {
            return Err(MapError::Io(follower.why.borrow().clone()));
        }
    }
    Ok(())
}

fn follower(hub: &Rc<Hub>, core: &Arc<Core>, part: usize) -> Rc<Follower> {
    let mut followers = hub.followers.borrow_mut();
    let known = followers.entry((core.id, part)).or_insert_with(|| {
        let follower = Rc::new(Follower {
            active: Cell::new(false),
            changed: Notify::new(),
            why: RefCell::new("the subscription to changes is not there yet".to_owned()),
        });
        let following = follow(
            Rc::clone(hub),
            (core.id, part),
            Arc::downgrade(core),
            Rc::clone(&follower),
        );
        drop(tokio::task::spawn_local(following));
        follower
    });
    Rc::clone(known)
}

async fn follow(hub: Rc<Hub>, place: (u64, usize), core: Weak<Core>, follower: Rc<Follower>) {
    let mut before = false;
    let mut pause = limits::RECONNECT_FIRST;
    while let Some(map) = core.upgrade() {
        match subscribe(&hub, &map, place.1).await {
            Ok(subscription) => {
                if before {
                    map.watchers.announce_gap();
                }
                before = true;
                pause = limits::RECONNECT_FIRST;
                follower.active.set(true);
                follower.changed.notify_waiters();
                drop(map);
                let end = hold(&hub, place.1, &core, subscription).await;
                follower.active.set(false);
                match end {
                    End::Unused => break,
                    End::Lost(why) => {
                        tracing::debug!(why, "a subscription to changes of a map was lost");
                        why.clone_into(&mut follower.why.borrow_mut());
                    }
                }
            }
            Err(why) => *follower.why.borrow_mut() = why,
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(limits::RECONNECT_MAX);
    }
    hub.followers.borrow_mut().remove(&place);
}

/// First the subscription, then the lease: what is published from then on comes here.
async fn subscribe(hub: &Hub, core: &Arc<Core>, part: usize) -> Result<Subscription, String> {
    let owner = tokio::time::timeout(limits::CONNECT_TIME, hub.owner(core.parts[part].slot)).await;
    let owner = owner.map_err(|_| hub.why(core.parts[part].slot))?;
    let heard = Arc::new(Heard {
        version: AtomicU64::new(0),
        over: Notify::new(),
    });
    let pushed = pushed(Arc::downgrade(core), Arc::clone(&heard));
    let (mut connection, mut driver) =
        connect::open(&hub.config, &owner.target, Some(pushed)).await?;
    let cluster = hub.config.kind == RedisKind::Cluster;
    let mut command = cmd(if cluster { "SSUBSCRIBE" } else { "SUBSCRIBE" });
    command.arg(&core.parts[part].channel);
    let subscribing = async {
        tokio::select! {
            reply = connection.send_packed_command(&command) => match reply {
                Ok(Reply::ServerError(error)) => Err(error.to_string()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            () = &mut driver => Err("the connection was closed".to_owned()),
        }
    };
    let subscribed = tokio::time::timeout(limits::CONNECT_TIME, subscribing).await;
    subscribed.unwrap_or_else(|_| Err("the server does not answer".to_owned()))?;
    let (_, version) = lease(hub, core, part)
        .await
        .map_err(|error| error.to_string())?;
    heard.version.fetch_max(version, Ordering::Relaxed);
    let owner = owner.target.to_string();
    // The connection stays as long as its driver does: a clone of it would end it.
    let driver: Driver = Box::pin(async move {
        driver.await;
        drop(connection);
    });
    Ok(Subscription {
        driver,
        heard,
        owner,
    })
}

/// Says that somebody watches. Answers whether that was known all the time, and the last version.
async fn lease(hub: &Hub, core: &Core, part: usize) -> Result<(bool, u64), MapError> {
    let request = core.run(&script::WATCH, part);
    let request = request.with(limits::WATCH_LEASE.as_millis().to_string());
    let reply = serve::within(hub, core, part, &request, core.until()).await?;
    let parts = replies::done(reply, &core.common)?;
    let known = replies::number(replies::at(&parts, 0)?)? == 1;
    Ok((known, replies::number(replies::at(&parts, 1)?)?))
}

async fn hold(hub: &Hub, part: usize, core: &Weak<Core>, mut held: Subscription) -> End {
    // What must have been heard when the lease is renewed again.
    let mut promised = 0;
    loop {
        tokio::select! {
            () = &mut held.driver => return End::Lost("the server closed it"),
            () = held.heard.over.notified() => return End::Lost("the server ended it"),
            () = tokio::time::sleep(jittered(limits::WATCH_RENEWAL)) => {}
        }
        let Some(core) = core.upgrade() else {
            return End::Unused;
        };
        core.watchers.forget_ended();
        if core.watchers.is_empty() {
            return End::Unused;
        }
        if held.heard.version.load(Ordering::Relaxed) < promised {
            return End::Lost("changes did not come");
        }
        if hub.config.kind == RedisKind::Cluster {
            let owner = hub.owner(core.parts[part].slot);
            let owner = tokio::time::timeout(limits::CONNECT_TIME, owner).await;
            if owner.is_ok_and(|owner| owner.target.to_string() != held.owner) {
                return End::Lost("its slot has moved");
            }
        }
        let renewed = tokio::select! {
            () = &mut held.driver => return End::Lost("the server closed it"),
            renewed = lease(hub, &core, part) => renewed,
        };
        match renewed {
            Ok((known, version)) => {
                if !known {
                    core.watchers.announce_gap();
                    held.heard.version.fetch_max(version, Ordering::Relaxed);
                }
                promised = version;
            }
            // The next one tells whether the lease has ended meanwhile.
            Err(error) => tracing::debug!(%error, "a lease on changes was not renewed"),
        }
    }
}

/// Tells watchers what is published.
fn pushed(core: Weak<Core>, heard: Arc<Heard>) -> Pushed {
    Box::new(move |push: PushInfo| match push.kind {
        PushKind::Message | PushKind::SMessage => {
            let Some(core) = core.upgrade() else {
                return;
            };
            match push.data.get(1).and_then(change) {
                Some((event, version, key)) => {
                    heard.version.fetch_max(version, Ordering::Relaxed);
                    match event {
                        Some(event) => core.watchers.announce(key, event, version),
                        None => core.watchers.announce_cleared(),
                    }
                }
                None => core.watchers.announce_gap(),
            }
        }
        PushKind::SUnsubscribe | PushKind::Unsubscribe => heard.over.notify_one(),
        _ => {}
    })
}

/// A message: what happened (`None`: all entries were removed), the version, the key.
fn change(message: &Reply) -> Option<(Option<Event>, u64, &[u8])> {
    let Reply::BulkString(bytes) = message else {
        return None;
    };
    let (event, rest) = bytes.split_first()?;
    let (version, key) = rest.split_first_chunk::<8>()?;
    let event = match event {
        b'S' => Some(Event::Set),
        b'D' => Some(Event::Deleted),
        b'X' => Some(Event::Expired),
        b'C' => None,
        _ => return None,
    };
    Some((event, u64::from_le_bytes(*version), key))
}

/// Sweeps a map from time to time, as long as there is a handle to it and it is used.
pub(super) async fn sweep(hub: Rc<Hub>, core: Weak<Core>) {
    loop {
        tokio::time::sleep(jittered(limits::SWEEP_PAUSE)).await;
        let Some(core) = core.upgrade() else {
            return;
        };
        if !core.attached.load(Ordering::Relaxed) {
            continue;
        }
        for part in 0..core.parts.len() {
            if let Err(error) = sweep_part(&hub, &core, part).await {
                tracing::debug!(map = core.name, %error, "a map was not swept");
            }
        }
    }
}

async fn sweep_part(hub: &Hub, core: &Core, part: usize) -> Result<(), MapError> {
    loop {
        let request = core.run(&script::SWEEP, part).with(limits::SWEPT_AT_ONCE);
        let reply = serve::within(hub, core, part, &request, core.until()).await?;
        let parts = replies::done(reply, &core.common)?;
        let number = |at| replies::number(replies::at(&parts, at)?);
        let swept = number(0)?;
        core.note_sweep(part, swept, [number(1)?, number(2)?, number(3)?]);
        if swept < limits::SWEPT_AT_ONCE as u64 {
            return Ok(());
        }
    }
}
