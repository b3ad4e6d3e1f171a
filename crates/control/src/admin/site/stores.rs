//! Stores of maps, without logins.

use serde_json::{Map, Value, json};
use weir_model::{FileStore, Login, RedisServers, RedisServersKind, Site, Store};

use super::{MASK, seconds};

pub(super) fn describe(site: &Site) -> Map<String, Value> {
    let stores = site.stores.iter();
    stores
        .map(|(name, store)| (name.to_string(), shown(store)))
        .collect()
}

fn shown(store: &Store) -> Value {
    match store {
        Store::Durable(files) => json!({ "durable": in_files(files) }),
        Store::SsdBacked(files) => json!({ "ssd_backed": in_files(files) }),
        Store::Redis(servers) => json!({ "redis": in_redis(servers) }),
    }
}

fn in_files(files: &FileStore) -> Value {
    json!({
        "path": files.folder.to_string_lossy(),
        "durability": if files.lag.is_some() { "relaxed" } else { "synced" },
        "sync_interval": files.lag.map(seconds),
        "memory_bytes": files.memory_bytes,
    })
}

fn in_redis(servers: &RedisServers) -> Value {
    let (kind, primary) = match &servers.kind {
        RedisServersKind::Single => ("single", None),
        RedisServersKind::Sentinel { primary } => ("sentinel", Some(primary)),
        RedisServersKind::Cluster => ("cluster", None),
    };
    let addresses = servers.addresses.iter().map(ToString::to_string);
    json!({
        "kind": kind,
        "primary": primary,
        "addresses": addresses.collect::<Vec<_>>(),
        "login": login(&servers.login),
        "sentinel_login": login(&servers.sentinel_login),
        "database": servers.database,
        "prefix": servers.prefix,
        "deadline": seconds(servers.deadline),
        "tls": servers.tls.as_ref().map(|tls| json!({
            "ca": tls.ca.to_string_lossy(),
            "certificate": tls.identity.as_ref().map(|(file, _)| file.to_string_lossy()),
            "name": tls.name,
        })),
    })
}

fn login(login: &Login) -> Value {
    match login.password {
        Some(_) => json!(MASK),
        None => Value::Null,
    }
}
