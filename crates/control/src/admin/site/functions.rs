//! Functions, without the values of variables and settings.

use serde_json::{Map, Value, json};
use weir_model::{
    Function, FunctionGrants, FunctionKind, FunctionLimits, HostGrant, HostRule, Randomness, Site,
};

use super::grants::folders;
use super::{masked, seconds};

pub(super) fn describe(site: &Site) -> Map<String, Value> {
    let functions = site.functions.iter();
    functions
        .map(|(name, function)| (name.to_string(), shown(function)))
        .collect()
}

fn shown(function: &Function) -> Value {
    json!({
        "module": &*function.module,
        "kind": match &function.kind {
            FunctionKind::Auto => json!("auto"),
            FunctionKind::Core => json!("core"),
            FunctionKind::Command => json!("command"),
            FunctionKind::Http => json!("http"),
            FunctionKind::Export(export) => {
                json!({ "export": { "name": export.name, "content_type": export.content_type } })
            }
        },
        "environment": masked(function.environment.iter().map(|(name, _)| name)),
        "arguments": function.arguments.len(),
        "settings": masked(function.settings.iter().map(|(name, _)| name)),
        "grants": grants(&function.grants),
        "limits": limits(&function.limits),
    })
}

fn grants(grants: &FunctionGrants) -> Value {
    let functions = grants.functions.iter();
    json!({
        "http": grants.http.iter().map(host).collect::<Vec<_>>(),
        "functions": functions.map(|name| &**name).collect::<Vec<_>>(),
        "maps": super::grants::maps(&grants.maps),
        "default_map": grants.maps.default.as_deref(),
        "map_quota": {
            "entries": grants.maps.quota.entries,
            "bytes": grants.maps.quota.bytes,
        },
        "map_budget": grants.maps.budget.as_ref().map(super::grants::budget),
        "files": folders(&grants.files),
        "random": grants.random == Randomness::Granted,
    })
}

fn host(grant: &HostGrant) -> Value {
    let host = match &grant.host {
        HostRule::Name(name) => name.clone(),
        HostRule::Below(name) => format!("*.{name}"),
        HostRule::Address(address) => address.to_string(),
    };
    json!({ "host": host, "port": grant.port, "private": grant.is_private })
}

fn limits(limits: &FunctionLimits) -> Value {
    json!({
        "memory_bytes": limits.memory_bytes,
        "time": seconds(limits.time),
        "timeout": seconds(limits.timeout),
        "request_bytes": limits.request_bytes,
        "response_bytes": limits.response_bytes,
        "instances": limits.instances,
        "queue": limits.queue,
        "queue_timeout": seconds(limits.queue_timeout),
        "fetches": limits.fetches,
        "depth": limits.depth,
    })
}
