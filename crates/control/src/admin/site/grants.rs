//! What a filter is granted and sees, for operators. Keys of hashes and texts in the place of
//! values are not shown.

use serde_json::{Map, Value, json};
use weir_model::{
    FileAccess, FileGrant, GrantMode, Grants, MapBudget, MapGrants, MapRight, Pattern, Randomness,
    Sees, Showing,
};

pub(super) fn grants(grants: &Grants) -> Value {
    let texts = |patterns: &[Pattern]| patterns.iter().map(Pattern::text).collect::<Vec<_>>();
    let clusters = grants.clusters.as_ref();
    json!({
        "mode": match grants.mode {
            GrantMode::Enforce => "enforce",
            GrantMode::DryRun => "dry_run",
        },
        "clusters": clusters.map(|names| names.iter().map(|name| &**name).collect::<Vec<_>>()),
        "vm_ids": grants.vm_ids,
        "foreign_functions": grants.foreign_functions,
        "files": folders(&grants.files),
        "maps": maps(&grants.maps),
        "default_map": grants.maps.default.as_deref(),
        "map_quota": {
            "entries": grants.maps.quota.entries,
            "bytes": grants.maps.quota.bytes,
        },
        "map_rate": grants.maps.rate.map(|rate| json!({
            "units": rate.units,
            "burst": rate.burst,
            "read": rate.read,
            "write": rate.write,
            "entry": rate.entry,
            "kilobyte": rate.kilobyte,
        })),
        "map_budget": grants.maps.budget.as_ref().map(budget),
        "clock_resolution": grants.clock_resolution.map(super::seconds),
        "random": grants.randomness == Randomness::Granted,
        "protected_headers": texts(&grants.protected_headers),
        "write_headers": texts(&grants.write_headers),
    })
}

/// Rights, and how much of a map may be had.
pub(super) fn maps(grants: &MapGrants) -> Map<String, Value> {
    let shown = grants.maps.iter().map(|(name, rights)| {
        let rights: Vec<_> = rights.iter().map(MapRight::name).collect();
        let most = |most: u64| Some(most).filter(|most| *most < u64::MAX);
        let shown = match grants.rooms.get(name) {
            None => json!(rights),
            Some(room) => json!({
                "rights": rights,
                "entries": most(room.entries),
                "bytes": most(room.bytes),
            }),
        };
        (name.to_string(), shown)
    });
    shown.collect()
}

pub(super) fn budget(budget: &MapBudget) -> Value {
    json!({
        "units": budget.units,
        "read": budget.read,
        "write": budget.write,
        "entry": budget.entry,
        "kilobyte": budget.kilobyte,
    })
}

pub(super) fn folders(grants: &[FileGrant]) -> Vec<Value> {
    let shown = grants.iter().map(|file| {
        json!({
            "host": file.host.to_string_lossy(),
            "guest": file.guest,
            "write": file.access == FileAccess::Write,
        })
    });
    shown.collect()
}

pub(super) fn sees(sees: &Sees) -> Value {
    let seen = |is_hidden: bool| if is_hidden { "hide" } else { "show" };
    json!({
        "request_headers": rules(&sees.request_headers),
        "response_headers": rules(&sees.response_headers),
        "query": rules(&sees.query),
        "properties": rules(&sees.properties),
        "request_body": seen(sees.hidden_bodies.request),
        "response_body": seen(sees.hidden_bodies.response),
    })
}

fn rules(rules: &[(Pattern, Showing)]) -> Value {
    let shown = rules.iter().map(|(pattern, showing)| {
        let rule = match showing {
            Showing::Show => json!("show"),
            Showing::Hide => json!("hide"),
            Showing::Hash => json!("hash"),
            Showing::Text(_) => json!("redact"),
            Showing::Ends { first, last } => json!({ "first": first, "last": last }),
        };
        (pattern.text(), rule)
    });
    Value::Object(shown.collect::<Map<_, _>>())
}
