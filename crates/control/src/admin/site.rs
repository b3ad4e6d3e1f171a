//! The configuration as JSON for operators, without secrets.
//!
//! Invariant: no value that an operator may have meant to be secret is shown: configurations and
//! bodies by their size, environment, headers and metadata by their names.

mod functions;
mod grants;
mod stores;

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use weir_model::{
    Action, Cluster, CodeCache, EndpointHost, FailureRules, Filter, FilterUse, HeaderTest,
    HostPattern, Limit, Listener, MapEviction, MapStore, Metadata, ModuleSource, PathMatch, Route,
    RouteMatch, SharedMap, Site,
};

const MASK: &str = "***";

/// The whole configuration.
pub(super) fn describe(site: &Site) -> Value {
    let modules = site.modules.values().map(|module| match &module.source {
        ModuleSource::File(path) => (
            module.name.to_string(),
            json!({ "file": path.to_string_lossy() }),
        ),
    });
    let clusters = site
        .clusters
        .values()
        .map(|one| (one.name.to_string(), cluster(one)));
    let filters = site
        .filters
        .values()
        .map(|one| (one.name.to_string(), filter(one)));
    let maps = site
        .maps
        .iter()
        .map(|(name, map)| (name.to_string(), shared_map(map)));
    json!({
        "listeners": site.listeners.iter().map(listener).collect::<Vec<_>>(),
        "clusters": clusters.collect::<Map<_, _>>(),
        "modules": modules.collect::<Map<_, _>>(),
        "filters": filters.collect::<Map<_, _>>(),
        "functions": functions::describe(site),
        "function_instances": site.function_instances,
        "trust": {
            "system": site.trust.system,
            "files": site.trust.files.iter().map(|file| file.to_string_lossy()).collect::<Vec<_>>(),
        },
        "maps": maps.collect::<Map<_, _>>(),
        "stores": stores::describe(site),
        "background": uses(&site.background),
        "admin": site.admin.as_ref().map(|admin| admin.address.to_string()),
        "workers": site.workers,
        "code_cache": match &site.code_cache {
            CodeCache::Off => json!("off"),
            CodeCache::On { folder, bytes_max } => json!({
                "path": folder.as_ref().map(|folder| folder.to_string_lossy()),
                "bytes_max": bytes_max,
            }),
        },
        "drain_timeout": seconds(site.drain_timeout),
        "node": {
            "id": site.node.id,
            "cluster": site.node.cluster,
            "metadata": masked(site.node.metadata.keys()),
        },
    })
}

fn shared_map(map: &SharedMap) -> Value {
    json!({
        "store": match &map.store {
            MapStore::Memory => Some("memory"),
            MapStore::Named(name) => Some(&**name),
            MapStore::Pinned(_) => None,
        },
        "pin": match &map.store {
            MapStore::Pinned(file) => Some(json!({
                "path": file.path.to_string_lossy(),
                "key_bytes": file.key_bytes,
            })),
            MapStore::Memory | MapStore::Named(_) => None,
        },
        "entries_max": map.entries_max,
        "bytes_max": map.bytes_max,
        "value_bytes_max": map.value_bytes_max,
        "ttl": map.ttl.map(seconds),
        "eviction": match map.eviction {
            MapEviction::Refuse => "none",
            MapEviction::Lru => "lru",
        },
        "slots": map.slots,
        "cache": map.cache.map(|cache| json!({
            "ttl": seconds(cache.ttl),
            "entries_max": cache.entries_max,
            "bytes_max": cache.bytes_max,
        })),
    })
}

fn listener(listener: &Listener) -> Value {
    let tcp = listener.tcp.as_ref().map(|tcp| {
        json!({
            "cluster": &*tcp.cluster,
            "filters": uses(&tcp.filters),
            "connect_attempts": tcp.connect_attempts,
        })
    });
    json!({
        "name": &*listener.name,
        "address": listener.address.to_string(),
        "routes": listener.routes.iter().map(route).collect::<Vec<_>>(),
        "tcp": tcp,
        "access_log": format!("{:?}", listener.access_log).to_lowercase(),
        "log_filters": uses(&listener.log_filters),
        "body_buffer_bytes": listener.body_buffer_bytes,
        "max_connections": listener.max_connections,
        "metadata": names(&listener.metadata),
    })
}

fn route(route: &Route) -> Value {
    let mut shown = json!({
        "name": &*route.name,
        "match": matches(&route.matches),
        "filters": uses(&route.filters),
        "metadata": names(&route.metadata),
    });
    let (name, action) = match &route.action {
        Action::Forward(forward) => (
            "forward",
            json!({
                "cluster": &*forward.cluster,
                "timeout": forward.timeout.map(seconds),
                "idle_timeout": forward.idle_timeout.map(seconds),
                "retries": forward.retries.attempts,
            }),
        ),
        Action::Respond(respond) => (
            "respond",
            json!({
                "status": respond.status,
                "headers": masked(respond.headers.iter().map(|(name, _)| name)),
                "body": size(&respond.body),
            }),
        ),
        Action::Function(name) => ("function", json!(&**name)),
        Action::Echo => ("echo", json!(true)),
    };
    shown[name] = action;
    shown
}

fn matches(matches: &RouteMatch) -> Value {
    let mut shown = Map::new();
    match &matches.path {
        PathMatch::Any => {}
        PathMatch::Exact(path) => drop(shown.insert("path".to_owned(), json!(path))),
        PathMatch::Prefix(prefix) => drop(shown.insert("path_prefix".to_owned(), json!(prefix))),
    }
    if !matches.hosts.is_empty() {
        let hosts = matches.hosts.iter().map(|host| match host {
            HostPattern::Exact(host) => host.clone(),
            HostPattern::Suffix(suffix) => format!("*{suffix}"),
        });
        shown.insert("hosts".to_owned(), hosts.collect());
    }
    if !matches.methods.is_empty() {
        shown.insert("methods".to_owned(), json!(matches.methods));
    }
    if !matches.headers.is_empty() {
        let headers = matches.headers.iter().map(|header| {
            let test = match header.test {
                HeaderTest::Present => json!("present"),
                HeaderTest::Absent => json!("absent"),
                HeaderTest::Exact(_) => json!({ "exact": MASK }),
                HeaderTest::Prefix(_) => json!({ "prefix": MASK }),
            };
            json!({ "name": header.name, "test": test })
        });
        shown.insert("headers".to_owned(), headers.collect());
    }
    Value::Object(shown)
}

fn cluster(cluster: &Cluster) -> Value {
    let endpoints = cluster
        .endpoints
        .iter()
        .map(|endpoint| match &endpoint.host {
            EndpointHost::Ip(ip) => std::net::SocketAddr::new(*ip, endpoint.port).to_string(),
            EndpointHost::Dns(name) => format!("{name}:{}", endpoint.port),
        });
    json!({
        "endpoints": endpoints.collect::<Vec<_>>(),
        "protocol": format!("{:?}", cluster.protocol),
        "load_balancing": format!("{:?}", cluster.load_balancing),
        "connect_timeout": seconds(cluster.connect_timeout),
        "idle_timeout": seconds(cluster.idle_timeout),
        "max_connections": cluster.max_connections,
        "ejection": cluster.ejection.map(|ejection| ejection.consecutive_failures),
        "metadata": names(&cluster.metadata),
    })
}

fn filter(filter: &Filter) -> Value {
    json!({
        "module": &*filter.module,
        "vm_id": &*filter.vm_id,
        "root_id": &*filter.root_id,
        "vm_configuration": size(&filter.vm_configuration),
        "configuration": size(&filter.configuration),
        "environment": masked(filter.environment.iter().map(|(name, _)| name)),
        "capabilities": filter.capabilities,
        "grants": grants::grants(&filter.grants),
        "sees": filter.sees.as_ref().map(grants::sees),
        "isolation": format!("{:?}", filter.isolation),
        "on_failure": format!("{:?}", filter.on_failure),
        "failures": failures(&filter.failures),
        "recycle": {
            "requests": filter.recycling.requests,
            "memory_bytes": filter.recycling.memory_bytes,
        },
        "strictness": format!("{:?}", filter.strictness),
        "dialect": format!("{:?}", filter.dialect),
        "limits": limits(filter),
    })
}

fn failures(rules: &FailureRules) -> Value {
    let breaker = rules.breaker;
    json!({
        "recover": rules.open_recovers,
        "breaker": {
            "failures": breaker.failures,
            "window": seconds(breaker.window),
            "wait": seconds(breaker.wait),
            "wait_max": seconds(breaker.wait_max),
        },
        "quarantine": rules.quarantine.map(|quarantine| json!({
            "failures": quarantine.failures,
            "time": seconds(quarantine.time),
        })),
    })
}

/// All limits of a filter, as they would be written.
fn limits(filter: &Filter) -> Value {
    let shown = Limit::ALL.into_iter().map(|limit| {
        let text = filter.limits.exceeded(limit).to_string();
        let value = text.split_once(": ").map(|(_, value)| value);
        (limit.key().to_owned(), json!(value))
    });
    Value::Object(shown.collect())
}

/// Filters of a chain; a configuration of the route's own by its size.
fn uses(uses: &[FilterUse]) -> Value {
    let shown = uses.iter().map(|one| match &one.configuration {
        None => json!(&*one.filter),
        Some(configuration) => json!({ "use": &*one.filter, "configuration": size(configuration) }),
    });
    shown.collect()
}

/// Metadata by its namespaces and keys.
fn names(metadata: &Metadata) -> Value {
    let namespaces = metadata.namespaces.iter();
    let shown = namespaces
        .map(|(name, entries)| (name.clone(), masked(entries.iter().map(|(key, _)| key))));
    Value::Object(shown.collect())
}

fn masked<'n>(names: impl Iterator<Item = &'n String>) -> Value {
    Value::Object(names.map(|name| (name.clone(), json!(MASK))).collect())
}

fn size(bytes: &Bytes) -> String {
    format!("({} bytes)", bytes.len())
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
