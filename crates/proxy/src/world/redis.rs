//! Redis commands that guests send (Proxy-Wasm reference 10.2).

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use weir_guest::door::{ContextId, RedisInit};
use weir_guest::{Event, Reply, Status};
use weir_model::limits;

use super::{LiveWorld, Outcome};
use crate::plugin::Remark;
use crate::redis::{Login, Service, vet};

/// The two lowest bits of a token of a Redis command.
const TOKEN_KIND: u32 = 3;

/// What a root has set for the Redis behind a cluster.
#[derive(Clone)]
pub(crate) struct RedisSettings {
    username: Bytes,
    password: Bytes,
    database: u32,
    timeout: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            username: Bytes::new(),
            password: Bytes::new(),
            database: 0,
            timeout: limits::REDIS_TIMEOUT,
        }
    }
}

impl LiveWorld {
    /// Keeps the settings for the commands that follow. Nothing is opened yet.
    pub(super) fn redis_init(&mut self, init: &RedisInit<'_>) -> Outcome {
        let service = Service::of(init.service).ok_or(Status::BadArgument)?;
        self.cluster(service.cluster).ok_or(Status::BadArgument)?;
        let timeout = match init.timeout_ms {
            0 => limits::REDIS_TIMEOUT,
            millis => Duration::from_millis(u64::from(millis)),
        };
        let settings = RedisSettings {
            username: Bytes::copy_from_slice(init.username),
            password: Bytes::copy_from_slice(init.password),
            database: service.database.unwrap_or(0),
            timeout,
        };
        let root = self.root_mut().ok_or(Status::BadArgument)?;
        std::sync::Arc::make_mut(&mut root.redis).insert(service.cluster.to_owned(), settings);
        Ok(Reply::Done)
    }

    pub(super) fn redis_call(&mut self, service: &[u8], query: &[u8]) -> Outcome {
        let service = Service::of(service).ok_or(Status::BadArgument)?;
        let cluster = self
            .cluster(service.cluster)
            .cloned()
            .ok_or(Status::BadArgument)?;
        let root = self.root().ok_or(Status::BadArgument)?;
        if query.len() > limits::REDIS_QUEUE_BYTES_MAX {
            return Err(Status::InternalFailure);
        }
        if let Err(refusal) = vet(query) {
            let filter: &str = &root.filter.name;
            let meter = self.guard.meter();
            meter.remark(Remark::RedisCommand, |_, untold| {
                tracing::warn!(filter, untold, "a Redis command was not sent: {refusal}");
            });
            return Err(Status::BadArgument);
        }
        if !cluster.has_endpoint() {
            return Err(Status::InternalFailure);
        }
        let settings = root.redis.get(service.cluster).cloned().unwrap_or_default();
        self.begin_callout()?;
        let login = Login {
            cluster: service.cluster.to_owned(),
            database: service.database.unwrap_or(settings.database),
            username: settings.username,
            password: settings.password,
        };
        let deadline = Instant::now()
            .checked_add(settings.timeout)
            .ok_or(Status::BadArgument)?;
        let answer = self
            .shared
            .redis
            .client(&login, &cluster)
            .and_then(|client| client.send(Bytes::copy_from_slice(query), deadline))
            .map_err(|_busy| Status::InternalFailure)?;
        let (token, root_id, slot) = (self.token(TOKEN_KIND), self.here.root, self.slot.clone());
        let task = self.spawn(async move {
            let reply = tokio::time::timeout_at(deadline, answer).await;
            if let Some(slot) = slot.upgrade() {
                slot.redis_ended(root_id, token, reply.ok().and_then(Result::ok));
            }
        });
        let task = task.ok_or(Status::InternalFailure)?;
        match self.root_mut() {
            Some(root) => drop(root.calls.insert(token, task)),
            None => task.abort(),
        }
        Ok(Reply::Number(u64::from(token)))
    }

    /// A reply came, or never will: what the guest is shown of it, if its root is still there.
    pub(crate) fn show_redis(
        &mut self,
        root: ContextId,
        token: u32,
        reply: Option<Bytes>,
    ) -> Option<Event> {
        let known = self.roots.get_mut(&root)?;
        known.calls.remove(&token);
        known.status = super::callouts::ended(reply.is_some());
        let status = u32::from(reply.is_none());
        let reply = reply.unwrap_or_default();
        let size = u32::try_from(reply.len()).unwrap_or(u32::MAX);
        self.redis_reply = reply;
        Some(Event::RedisReply {
            root,
            token,
            status,
            size,
        })
    }

    /// The callback has returned.
    pub(crate) fn hide_redis(&mut self, root: ContextId) {
        self.redis_reply = Bytes::new();
        if let Some(known) = self.roots.get_mut(&root) {
            known.status.1.clear();
        }
    }
}
