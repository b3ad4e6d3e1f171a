//! Maps, entries and changes as JSON.
//!
//! Bytes that are text are a string; others are `{"base64": …}`. What a declaration says of them
//! stands beside that, as `typed`.

use base64ct::{Base64, Encoding as _};
use serde_json::{Value as Json, json};
use weir_bindgen::typed::{Typed, TypedError};
use weir_maps::graph::Root;
use weir_maps::numbers::{Near, Numbers, Traffic};
use weir_maps::store::{Item, Stat};
use weir_maps::{Change, Engine, Event, Eviction, Value};
use weir_model::{MapRight, Site};

/// All maps: those with names, in the given form, and numbers of the others.
pub(super) fn all(engine: &Engine, named: &[Json]) -> Json {
    let stat = engine.stat();
    json!({
        "maps": named,
        "anonymous": {
            "maps": stat.anonymous,
            "freeing": stat.freeing,
            "collected": stat.collected,
            "cycles": stat.cycles,
        },
        "tickets": engine.tickets_open(),
    })
}

/// What is known of a map; `asked`: by its back end just now.
pub(super) fn numbers(
    (scope, name): (&str, &str),
    (map, site, typed): (&Root, &Site, Option<&Typed>),
    asked: Option<Stat>,
) -> Json {
    let numbers = Numbers::of(map);
    let stat = asked.or(numbers.known.stat);
    let of = |number: fn(&Stat) -> u64| stat.as_ref().map(number);
    let options = map.map().options();
    let granted = site.filters.iter().filter(|_| scope.is_empty());
    let granted = granted.filter_map(|(filter, uses)| {
        let rights = uses.grants.maps.maps.get(name)?;
        let rights: Vec<_> = rights.iter().map(MapRight::name).collect();
        Some((filter.to_string(), rights.into()))
    });
    let mut shown = json!({
        "name": name,
        "scope": scope,
        "entries": of(|stat| stat.entries),
        "bytes": of(|stat| stat.bytes),
        "version": of(|stat| stat.version),
        "evicted": of(|stat| stat.evicted),
        "expired": of(|stat| stat.expired),
        "watches": of(|stat| stat.watches),
        "hits": numbers.counts.hits,
        "misses": numbers.counts.misses,
        "refused": numbers.counts.refused,
        // One reference is that of who looks.
        "references": numbers.references.saturating_sub(1),
        "granted": granted.collect::<serde_json::Map<_, Json>>(),
        "traffic": numbers.known.traffic.as_ref().map(traffic),
        "cache": numbers.known.near.as_ref().map(cache),
        "entries_max": options.entries_max,
        "bytes_max": of(|stat| stat.quota_bytes),
        "value_bytes_max": options.value_bytes_max,
        "ttl_ms": options.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
        "eviction": match options.eviction {
            Eviction::Refuse => "none",
            Eviction::Lru => "lru",
        },
    });
    if let Some(typed) = typed {
        shown["declared"] = typed.described();
    }
    shown
}

fn traffic(traffic: &Traffic) -> Json {
    let mean = traffic.micros.checked_div(traffic.requests);
    json!({
        "requests": traffic.requests,
        "failed": traffic.failed,
        "mean_us": mean,
    })
}

fn cache(near: &Near) -> Json {
    json!({
        "hits": near.hits,
        "misses": near.misses,
        "entries": near.entries,
        "bytes": near.bytes,
        "follows": near.follows,
    })
}

/// An entry of a page.
pub(super) fn entry(item: &Item, typed: Option<&Typed>) -> Json {
    let mut shown = json!({ "key": bytes(&item.key), "version": item.version });
    let (name, value) = value(&item.value);
    shown[name] = value;
    if let Some(typed) = typed {
        shown["typed"]["key"] = said(typed.show_key(&item.key));
        if let Some(bytes) = item.value.bytes() {
            shown["typed"]["value"] = said(typed.show(bytes));
        }
        return shown;
    }
    // Eight bytes may be a counter; nothing says so.
    if let Ok(number) = item.value.as_number() {
        shown["counter"] = number.into();
    }
    shown
}

/// What a declaration makes of bytes, or why it can make nothing of them.
pub(super) fn said(json: Result<Json, TypedError>) -> Json {
    json.unwrap_or_else(|error| json!({ "error": error.to_string() }))
}

/// What a watcher is told.
pub(super) fn change(change: &Change) -> Json {
    match change {
        Change::Entry {
            key,
            event,
            version,
        } => {
            let event = match event {
                Event::Set => "set",
                Event::Deleted => "deleted",
                Event::Expired => "expired",
                Event::Evicted => "evicted",
            };
            json!({ "event": event, "key": bytes(key.bytes()), "version": version })
        }
        Change::Cleared => json!({ "event": "cleared" }),
        Change::Gone => json!({ "event": "gone" }),
        Change::Resync => json!({ "event": "resync" }),
    }
}

fn value(value: &Value) -> (&'static str, Json) {
    match (value.bytes(), value.child()) {
        (Some(held), _) => ("value", bytes(held)),
        (None, Some(child)) => ("map", child.0.into()),
        (None, None) => {
            let bytes = value.as_region().map(|region| region.bytes());
            ("region", json!({ "bytes": bytes }))
        }
    }
}

fn bytes(bytes: &[u8]) -> Json {
    let is_text = |text: &&str| {
        !text
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
    };
    match std::str::from_utf8(bytes).ok().filter(is_text) {
        Some(text) => text.into(),
        None => json!({ "base64": Base64::encode_string(bytes) }),
    }
}
