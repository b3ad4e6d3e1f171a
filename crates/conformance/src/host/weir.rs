//! Weir, by its own binary.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use serde_json::{Map, Value as Json, json};

use super::heard::Whose;
use super::{Cluster, Control, Ear, Live, Place, START, Stage, Start};
use crate::statement::{Attachment, Filter, Listener};
use crate::trouble::{Trouble, at_path};
use crate::wire::{eventually, lossy};

pub(super) fn start(path: &Path, isolation: &str, stage: &Stage) -> Result<Start, Trouble> {
    let file = stage.folder.join("weir.yaml");
    // JSON is YAML.
    let text = format!("{:#}", configuration(isolation, stage));
    std::fs::write(&file, text).map_err(at_path(&file))?;
    let level = format!("info,wasm={}", stage.scene.log_level);
    let mut program = stage.watch.spawn(
        Command::new(path)
            .args(["--log", &level, "--log-format", "json", "--color", "never"])
            .arg("serve")
            .arg(&file)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )?;
    let ear = Ear::new(stage.scene.filters.len());
    let (found, addresses) = channel();
    let names: Vec<String> = stage
        .scene
        .filters
        .iter()
        .map(|filter| filter.name.clone())
        .collect();
    let mut readers = Vec::new();
    if let Some(errors) = program.child.stderr.take() {
        let ear = ear.clone();
        readers.push(thread::spawn(move || {
            for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
                read_line(&lossy(&line), &names, &ear, &found);
            }
        }));
    }
    if let Some(output) = program.child.stdout.take() {
        let ear = ear.clone();
        readers.push(thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                read_access(&lossy(&line), &ear);
            }
        }));
    }
    if let Some((addresses, admin)) = addresses_of(&addresses, stage.listeners.len()) {
        return Ok(Start::Live(Live {
            addresses,
            ear,
            control: Control::Weir(admin),
            program,
        }));
    }
    let ended = eventually(START, || match program.child.try_wait() {
        Ok(None) => None,
        _ => Some(()),
    });
    if ended.is_none() {
        return Err(Trouble::Host("does not say where it listens".to_owned()));
    }
    for reader in readers {
        // A reader that panicked has told so itself.
        let _ = reader.join();
    }
    let heard = ear.heard().clone();
    Ok(Start::Refused(heard))
}

/// Where a gateway says that it listens, for traffic and for operators; `None`: it ended.
fn addresses_of(
    found: &Receiver<(bool, SocketAddr)>,
    count: usize,
) -> Option<(Vec<SocketAddr>, SocketAddr)> {
    let (mut traffic, mut admin) = (Vec::new(), None);
    loop {
        match admin {
            Some(admin) if traffic.len() == count => return Some((traffic, admin)),
            _ => {}
        }
        match found.recv_timeout(START).ok()? {
            (true, address) => admin = Some(address),
            (false, address) => traffic.push(address),
        }
    }
}

/// One line of the log.
fn read_line(text: &str, names: &[String], ear: &Ear, found: &Sender<(bool, SocketAddr)>) {
    let Ok(Json::Object(line)) = serde_json::from_str(text) else {
        return ear.other(text);
    };
    let field = |name: &str| line.get(name).and_then(Json::as_str).unwrap_or_default();
    let message = field("message");
    if field("target") == "wasm" {
        let level = match line.get("critical") {
            Some(Json::Bool(true)) => "critical".to_owned(),
            _ => field("level").to_ascii_lowercase(),
        };
        let known = names.iter().position(|name| name == field("plugin"));
        // Before there is a context, the one guest of a scene has no name.
        if let Some(filter) = known.or(field("plugin").is_empty().then_some(0)) {
            return ear.line(Whose::Filter(filter), &level, &as_written(message));
        }
    }
    if let ("listening" | "admin page", Ok(address)) = (message, field("address").parse()) {
        // Whoever no longer waits does not need it.
        let _ = found.send((message == "admin page", address));
        return;
    }
    ear.other(text);
}

/// The guest's own text: the gateway escapes control characters before it logs them.
fn as_written(line: &str) -> String {
    let mut parts = line.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .strip_prefix("u{")
            .and_then(|rest| rest.split_once('}'));
        let escaped = code.and_then(|(code, rest)| {
            let code = u32::from_str_radix(code, 16).ok()?;
            Some((char::from_u32(code)?, rest))
        });
        match (escaped, part.chars().next()) {
            (Some((character, rest)), _) => {
                text.push(character);
                text.push_str(rest);
            }
            (None, Some('n')) => text.extend(["\n", &part[1..]]),
            (None, Some('r')) => text.extend(["\r", &part[1..]]),
            (None, Some('t')) => text.extend(["\t", &part[1..]]),
            (None, _) => text.extend(["\\", part]),
        }
    }
    text
}

/// One line of the access log.
fn read_access(text: &str, ear: &Ear) {
    let Ok(Json::Object(mut line)) = serde_json::from_str(text) else {
        return ear.other(text);
    };
    let state = line.remove("properties");
    let state = state.as_ref().and_then(Json::as_object);
    let state = state.into_iter().flatten();
    let state: Map<_, _> = state
        .map(|(name, value)| (format!("wasm.{name}"), value.clone()))
        .collect();
    line.insert("state".to_owned(), state.into());
    ear.access(line);
}

/// The configuration file.
fn configuration(isolation: &str, stage: &Stage) -> Json {
    let scene = stage.scene;
    let mut modules = Map::new();
    let mut filters = Map::new();
    for (filter, path) in scene.filters.iter().zip(&stage.modules) {
        let module = path.file_stem().unwrap_or_default().to_string_lossy();
        modules.insert(module.to_string(), json!({"file": path}));
        filters.insert(filter.name.clone(), plugin(filter, (&module, isolation)));
    }
    let mut clusters = Map::new();
    for Cluster {
        name,
        addresses,
        is_http2,
    } in &stage.clusters
    {
        let mut cluster = json!({
            "endpoints": addresses, "connect_timeout": "2s", "max_connections": 100, "ejection": "off"});
        if *is_http2 {
            cluster["protocol"] = "http2".into();
        }
        clusters.insert(name.clone(), cluster);
    }
    let uses = |attachment, group| -> Vec<&str> {
        let filters = stage.filters(attachment, group);
        filters.map(|(filter, _)| filter.name.as_str()).collect()
    };
    let mut listeners = Vec::new();
    for (group, place) in stage.listeners.iter().enumerate() {
        let mut listener = match scene.listener {
            Listener::Http => http_listener(stage, place, &uses(Attachment::Chain, group)),
            Listener::Tcp => json!({
                "tcp": {"cluster": place.upstream, "filters": uses(Attachment::Network, group)}}),
        };
        listener["name"] = place.name.as_str().into();
        listener["address"] = "127.0.0.1:0".into();
        listener["access_log"] = "stdout".into();
        listener["log_filters"] = uses(Attachment::Log, group).into();
        listener["body_buffer"] = scene.body_buffer.into();
        listeners.push(listener);
    }
    json!({
        "workers": scene.workers,
        "drain_timeout": "2s",
        "code_cache": "off",
        "node": {"id": "n1", "cluster": "nc", "metadata": {"zone": "z"}},
        "admin": {"address": "127.0.0.1:0"},
        "modules": modules,
        "filters": filters,
        "background": uses(Attachment::Background, 0),
        "clusters": clusters,
        "listeners": listeners,
    })
}

fn http_listener(stage: &Stage, place: &Place, chain: &[&str]) -> Json {
    let route = |name: &str, tests: Json, action: (&str, Json)| {
        let mut route = json!({"name": name, "match": tests, "filters": chain});
        route[action.0] = action.1;
        route
    };
    let forward = |cluster: &str| ("forward", json!({"cluster": cluster, "timeout": "10s"}));
    let mut main = route("main", json!({}), forward(&place.upstream));
    if !stage.scene.route_metadata.is_empty() {
        main["metadata"] = stage.scene.route_metadata.clone().into();
    }
    let mut listener = json!({
        "forwarded_for": "keep",
        "routes": [
            route("other", json!({"path": "/other"}), ("respond", json!({"status": 200, "body": "other"}))),
            route("side", json!({"headers": [{"name": "x-route", "exact": "side"}]}), forward("side")),
            main,
        ],
    });
    if !stage.scene.metadata.is_empty() {
        listener["metadata"] = stage.scene.metadata.clone().into();
    }
    listener
}

fn plugin(filter: &Filter, (module, isolation): (&str, &str)) -> Json {
    let mut plugin = json!({
        "module": module,
        "vm_id": filter.vm_id,
        "root_id": filter.root_id,
        "on_failure": filter.on_failure,
        "strict_imports": !filter.is_tolerant,
        "isolation": if filter.shares { json!("module") } else { isolation_of(isolation) },
        "limits": {"time": "500ms", "request_time": "10s"},
    });
    let optional = [
        ("configuration", filter.configuration.clone()),
        ("vm_configuration", filter.vm_configuration.clone()),
        ("dialect", json!(filter.dialect)),
        ("capabilities", json!(filter.capabilities)),
    ];
    for (name, value) in optional {
        if !value.is_null() {
            plugin[name] = value;
        }
    }
    if !filter.environment.is_empty() {
        let environment = filter.environment.iter();
        let environment: Map<_, _> = environment
            .map(|(name, value)| (name.clone(), Json::from(value.as_str())))
            .collect();
        plugin["environment"] = environment.into();
    }
    if filter.dialect.as_deref() != Some("higress") {
        plugin["allow_on_headers_stop_iteration"] = filter.stops_iteration.into();
    }
    plugin
}

/// `process/plugin` is `{ process: { inside: plugin } }`.
fn isolation_of(word: &str) -> Json {
    match word.split_once('/') {
        Some((outer, inside)) => json!({outer: {"inside": inside}}),
        None => json!(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_what_the_guest_wrote() {
        assert_eq!(as_written(r"a\u{0}b\nc\d"), "a\0b\nc\\d");
    }

    #[test]
    fn log_lines_find_their_filter() {
        let ear = Ear::new(1);
        let (found, addresses) = channel();
        let names = ["f0".to_owned()];
        let line = |text: &str| read_line(text, &names, &ear, &found);
        line(r#"{"level":"WARN","message":"a","plugin":"f0","target":"wasm"}"#);
        line(r#"{"level":"INFO","message":"b","plugin":"f0","target":"wasm"}"#);
        line(r#"{"level":"INFO","message":"listening","address":"127.0.0.1:1","target":"x"}"#);
        line("no JSON");
        let heard = ear.heard().clone();
        assert_eq!(heard.lines, [["[warn] a", "b"]]);
        assert_eq!(heard.other, ["no JSON"]);
        assert_eq!(
            addresses.recv().unwrap(),
            (false, "127.0.0.1:1".parse().unwrap())
        );
    }
}
