//! Shared maps on the admin address: what there is, single entries, pages of them, changes.
//!
//! | request | does |
//! |---|---|
//! | `GET /maps` | all named maps with their numbers |
//! | `GET /maps/NAME` | the numbers of one |
//! | `GET /maps/NAME/entries?prefix=&after=&limit=` | entries in the order of their keys |
//! | `GET /maps/NAME/entry?key=` | the bytes of a value; its version in `x-weir-version` |
//! | `PUT /maps/NAME/entry?key=&if_absent&if_version=&ttl_ms=` | stores the request's body |
//! | `DELETE /maps/NAME/entry?key=&if_version=` | removes an entry |
//! | `GET /maps/NAME/watch?prefix=` | changes from now on, a JSON object a line, until the client goes |
//!
//! `typed_key=` in the place of `key=` is a key as people write it (`7` for a number), and with `typed`
//! values are JSON, as the map's declaration says what they are; without a declaration both are bytes.
//! A watch then tells keys so too, and the value that a stored entry has by then.
//!
//! Names and keys are percent-encoded; `scope=` names the scope of a map that has one. The operator
//! needs no grant.

mod changes;
mod view;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::{Value as Json, json};
use weir_bindgen::typed::{Typed, TypedError};
use weir_maps::graph::Root;
use weir_maps::store::{Condition, Found, Range, Seen, Stat, Store as _, Terms};
use weir_maps::{Answer, Engine, MapError, Value};
use weir_model::limits;

use super::Observe;
use super::answer::{Answer as Reply, TEXT};
use super::query::{decoded, parameter};

/// Name of the header with an entry's version.
pub(super) const VERSION: &str = "x-weir-version";

const BYTES: &str = "application/octet-stream";

pub(super) use changes::{Changes, Watches};

/// What a request about maps is answered.
pub(super) enum Told {
    /// All at once.
    Whole(Reply),
    /// As it happens.
    Changes(Changes),
}

/// Which part of a map a path names.
enum Part {
    Numbers,
    Entries,
    Entry,
    Watch,
}

/// Why a request is refused.
struct Refusal(StatusCode, String);

type Outcome = Result<Told, Refusal>;

impl From<MapError> for Refusal {
    fn from(error: MapError) -> Self {
        let status = match &error {
            MapError::Again { .. } | MapError::Exists => StatusCode::CONFLICT,
            MapError::NoEntry => StatusCode::NOT_FOUND,
            MapError::NoSpace { .. } => StatusCode::INSUFFICIENT_STORAGE,
            MapError::NoMemory { .. } => StatusCode::SERVICE_UNAVAILABLE,
            MapError::NotSupported(_) => StatusCode::NOT_IMPLEMENTED,
            MapError::Io(_) => StatusCode::BAD_GATEWAY,
            MapError::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            MapError::BadHandle(_)
            | MapError::Fault { .. }
            | MapError::Invalid(_)
            | MapError::NameTooLong { .. }
            | MapError::Overflow { .. }
            | MapError::Stale
            | MapError::NotCapable => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

impl Refusal {
    fn bad(text: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, text.into())
    }
}

/// Methods that a path of maps knows; `None`: it is none.
pub(super) fn methods(path: &str) -> Option<&'static str> {
    let rest = path.strip_prefix("/maps")?;
    if rest.is_empty() {
        return Some("GET, HEAD");
    }
    let (_, part) = split(rest.strip_prefix('/')?)?;
    Some(match part {
        Part::Entry => "GET, HEAD, PUT, DELETE",
        Part::Numbers | Part::Entries | Part::Watch => "GET, HEAD",
    })
}

/// A map's name, and what of it is meant.
fn split(rest: &str) -> Option<(String, Part)> {
    let (name, part) = rest.split_once('/').unwrap_or((rest, ""));
    let part = match part {
        "" => Part::Numbers,
        "entries" => Part::Entries,
        "entry" => Part::Entry,
        "watch" => Part::Watch,
        _ => return None,
    };
    let name = String::from_utf8(decoded(name)).ok()?;
    (!name.is_empty()).then_some((name, part))
}

/// Answers a request whose path and method [`methods`] has admitted.
pub(super) async fn answer(
    request: Request<Incoming>,
    observe: &dyn Observe,
    maps: (&Engine, &Watches),
) -> Told {
    let outcome = carry_out(request, observe, maps).await;
    outcome.unwrap_or_else(|Refusal(status, text)| {
        Told::Whole(Reply::new(status, TEXT, format!("{text}\n")))
    })
}

/// All named maps with the numbers that are at hand, and those of maps without names: what
/// `GET /maps` shows, without asking anybody.
#[must_use]
pub fn at_hand(engine: &Engine, observe: &dyn Observe) -> Json {
    let site = observe.site();
    let maps = engine.list().into_iter();
    let maps = maps.map(|(scope, name, map)| {
        let typed = typed(observe, (&scope, &name));
        view::numbers((&scope, &name), (&map, &site, typed.as_deref()), None)
    });
    view::all(engine, &maps.collect::<Vec<_>>())
}

/// What a map is declared to hold. Declarations are of the maps of the configuration, which have no
/// scope.
fn typed(observe: &dyn Observe, (scope, name): (&str, &str)) -> Option<Arc<Typed>> {
    scope.is_empty().then(|| observe.typed_map(name)).flatten()
}

async fn carry_out(
    request: Request<Incoming>,
    observe: &dyn Observe,
    (engine, watches): (&Engine, &Watches),
) -> Outcome {
    let (head, body) = request.into_parts();
    let query = head.uri.query();
    let rest = head.uri.path().strip_prefix("/maps/").unwrap_or_default();
    let Some((name, part)) = split(rest) else {
        return list(engine, observe).await;
    };
    let scope = parameter(query, "scope").unwrap_or_default();
    let scope = String::from_utf8_lossy(&scope);
    let map = engine.find(&scope, &name).ok_or_else(|| {
        let text = format!("there is no map {name:?}; GET /maps lists them");
        Refusal(StatusCode::NOT_FOUND, text)
    })?;
    let typed = typed(observe, (&scope, &name));
    let asked = Asked {
        query,
        typed: typed.as_deref(),
    };
    match (part, &head.method) {
        (Part::Numbers, _) => {
            let stat = stat_of(&map).await?;
            let held = (&map, &*observe.site(), asked.typed);
            let shown = view::numbers((&scope, &name), held, Some(stat));
            Ok(Told::Whole(Reply::json(&shown)))
        }
        (Part::Entries, _) => entries(&map, &asked).await,
        (Part::Watch, _) => {
            let place = (&*scope, &*name);
            changes::watch((engine, place), (query, typed.as_ref()), watches).await
        }
        (Part::Entry, &Method::PUT) => put(&map, &asked, body).await,
        (Part::Entry, &Method::DELETE) => remove(&map, &asked).await,
        (Part::Entry, _) => get(&map, &asked).await,
    }
}

/// A query, and what the map it is about holds.
struct Asked<'q> {
    query: Option<&'q str>,
    typed: Option<&'q Typed>,
}

impl Asked<'_> {
    /// The bytes of the key that is meant.
    fn key(&self) -> Result<Vec<u8>, Refusal> {
        let Some(text) = parameter(self.query, "typed_key") else {
            let key = parameter(self.query, "key");
            return key.ok_or_else(|| Refusal::bad("expected ?key=KEY or ?typed_key=KEY"));
        };
        match self.typed {
            Some(typed) => typed.key(&text).map_err(|error| told(&error)),
            None => Ok(text),
        }
    }

    /// The types of values, if they are to be JSON.
    fn values(&self) -> Option<&Typed> {
        parameter(self.query, "typed").and(self.typed)
    }
}

fn told(error: &TypedError) -> Refusal {
    Refusal::bad(error.to_string())
}

async fn list(engine: &Engine, observe: &dyn Observe) -> Outcome {
    let site = observe.site();
    let mut maps = Vec::new();
    for (scope, name, map) in engine.list() {
        let typed = typed(observe, (&scope, &name));
        let held = (&map, &*site, typed.as_deref());
        // One back end that is away does not hide the others.
        maps.push(match stat_of(&map).await {
            Ok(stat) => view::numbers((&scope, &name), held, Some(stat)),
            Err(error) => {
                let mut known = view::numbers((&scope, &name), held, None);
                known["error"] = error.to_string().into();
                known
            }
        });
    }
    Ok(Told::Whole(Reply::json(&view::all(engine, &maps))))
}

async fn stat_of(map: &Root) -> Result<Stat, MapError> {
    map.map().store().stat().wait().await
}

async fn read(map: &Root, key: &[u8]) -> Result<Option<Found>, MapError> {
    let store = map.map().store();
    match store.read(key, &mut |seen: Seen<'_>| Found::from(seen)) {
        Answer::Now(found) => found,
        Answer::Later(found) => found.await,
    }
}

async fn get(map: &Root, asked: &Asked<'_>) -> Outcome {
    let key = asked.key()?;
    let found = read(map, &key).await?.ok_or(MapError::NoEntry)?;
    let bytes = found.value.bytes().map(Bytes::copy_from_slice);
    let bytes = bytes.ok_or_else(|| {
        Refusal::bad("the entry has no bytes to be shown: it refers to a map, or is a region")
    })?;
    let reply = match asked.values() {
        Some(typed) => Reply::json(&typed.show(&bytes).map_err(|error| told(&error))?),
        None => Reply::ok(BYTES, bytes),
    };
    Ok(Told::Whole(reply.with_version(found.version)))
}

async fn put(map: &Root, asked: &Asked<'_>, body: Incoming) -> Outcome {
    let (key, query) = (asked.key()?, asked.query);
    let version = number(query, "if_version")?;
    let condition = match (parameter(query, "if_absent"), version) {
        (Some(_), Some(_)) => {
            return Err(Refusal::bad("if_absent and if_version exclude each other"));
        }
        (Some(_), None) => Condition::Absent,
        (None, Some(version)) => Condition::expected(version),
        (None, None) => Condition::Always,
    };
    let terms = Terms {
        condition,
        ttl: number(query, "ttl_ms")?.map(Duration::from_millis),
        bytes_max: None,
    };
    let most = limits::ADMIN_VALUE_BYTES_MAX;
    let body = Limited::new(body, most).collect().await;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let text = format!("a value that is written here has at most {most} bytes");
            return Refusal(StatusCode::PAYLOAD_TOO_LARGE, text);
        }
        Refusal::bad(format!("the request's body cannot be read: {error}"))
    })?;
    let value = match asked.values() {
        Some(typed) => {
            let bytes = typed.read(&body.to_bytes());
            Value::from(Bytes::from(bytes.map_err(|error| told(&error))?))
        }
        // The body may be a part of what was read from the connection, all of which it would keep.
        None => Value::copy_of(&body.to_bytes()),
    };
    let version = map.map().store().write(&key, value, terms).wait().await?;
    tracing::info!(map = map.map().name(), key = %key.escape_ascii(), version, "an entry was stored on the admin address");
    let reply = Reply::json(&json!({ "version": version })).with_version(version);
    Ok(Told::Whole(reply))
}

async fn remove(map: &Root, asked: &Asked<'_>) -> Outcome {
    let (key, query) = (asked.key()?, asked.query);
    let condition = number(query, "if_version")?.map_or(Condition::Always, Condition::expected);
    map.map().store().remove(&key, condition).wait().await?;
    tracing::info!(map = map.map().name(), key = %key.escape_ascii(), "an entry was removed on the admin address");
    Ok(Told::Whole(Reply::json(&json!({ "removed": true }))))
}

async fn entries(map: &Root, asked: &Asked<'_>) -> Outcome {
    let query = asked.query;
    let prefix = parameter(query, "prefix").unwrap_or_default();
    let after = parameter(query, "after");
    let most = limits::ADMIN_PAGE_ENTRIES_MAX;
    let limit = number(query, "limit")?.map_or(most, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX).clamp(1, most)
    });
    let range = Range {
        prefix: &prefix,
        after: after.as_deref(),
        entries: limit,
        bytes: limits::ADMIN_PAGE_BYTES_MAX,
    };
    let page = match map.map().store().scan(range).wait().await {
        // One that is larger than a page comes alone.
        Err(MapError::Overflow { needed }) => {
            let range = Range {
                entries: 1,
                bytes: needed,
                ..range
            };
            map.map().store().scan(range).wait().await?
        }
        page => page?,
    };
    let shown = |item| view::entry(item, asked.values());
    let items: Vec<Json> = page.items.iter().map(shown).collect();
    Ok(Told::Whole(Reply::json(&json!({
        "entries": items,
        "more": page.more,
    }))))
}

fn number(query: Option<&str>, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(bytes) = parameter(query, name) else {
        return Ok(None);
    };
    let number = std::str::from_utf8(&bytes).ok();
    let number = number.and_then(|text| text.parse().ok());
    let told = || Refusal::bad(format!("{name} is a number of at most 64 bits"));
    number.map(Some).ok_or_else(told)
}
