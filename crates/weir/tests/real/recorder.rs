//! Records what plugins do in a real Envoy 1.40, into `conformance/plugins`.
//!
//! `WEIR_RECORD=NAME` (or `all`) lets the test of a record play its requests to Envoy and write what
//! was seen, instead of comparing. The module's marker is changed for that to the one of Proxy-Wasm
//! 0.2.1; `route_name` and `cluster_name`, which Envoy no longer has, are set by a filter before it.
//! A plugin that imports Redis's functions cannot be recorded: Envoy refuses it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::all::harness::until;
use crate::exchange::{Named, Record};
use crate::plugins::{PROBE, Seen, Servers, plugin_file, record_file, setter};
use crate::reference::envoy::{Envoy, TYPES};

/// Whether a record is to be made anew.
pub(crate) fn is_wanted(name: &str) -> bool {
    std::env::var("WEIR_RECORD").is_ok_and(|wanted| wanted == name || wanted == "all")
}

/// Plays a record's requests to Envoy, and writes what was seen in place of what it held.
pub(crate) fn record(name: &str, mut record: Record) {
    let folder = TempDir::new().expect("a folder can be made");
    let servers = Servers::start();
    let log = folder.path().join("access.log");
    let bootstrap = bootstrap(&record, &servers, &folder);
    let envoy = Envoy::run(&bootstrap, 1);
    let address = envoy.address_of("main");
    let mut exchanges = std::mem::take(&mut record.exchanges);
    for (exchange, number) in exchanges.iter_mut().zip(1..) {
        let sights = servers.play(address, exchange);
        until("Envoy has logged the exchange", || {
            lines(&log).len() >= number
        });
        let seen = Seen::of(&record, &sights, &lines(&log)[number - 1]);
        exchange.upstream = seen.upstream;
        exchange.client = seen.client;
        exchange.callouts = seen.callouts;
        exchange.details = seen.details;
        exchange.ai_log = seen.ai_log;
        exchange.state = seen.state;
    }
    record.exchanges = exchanges;
    let text = serde_json::to_string_pretty(&record).expect("a record is JSON");
    fs::write(record_file(name), text + "\n").expect("the record can be written");
}

fn lines(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The plugin as Envoy takes it: another marker.
fn patched(plugin: &str, folder: &TempDir) -> PathBuf {
    let bytes = fs::read(plugin_file(plugin)).expect("the plugin can be read");
    let file = folder.path().join("plugin.wasm");
    fs::write(&file, with_marker(&bytes)).expect("the folder can be written");
    file
}

/// A module with the marker of 0.2.1 in place of Higress's: only its export section changes.
fn with_marker(module: &[u8]) -> Vec<u8> {
    const EXPORTS: u8 = 7;
    const OLD: &[u8] = b"\x19proxy_abi_version_0_2_100";
    const NEW: &[u8] = b"\x17proxy_abi_version_0_2_1";
    let mut patched = module[..8].to_vec();
    let mut rest = &module[8..];
    while let [id, after @ ..] = rest {
        let (size, length) = leb(after);
        let (mut section, next) = (
            after[length..length + size].to_vec(),
            &after[length + size..],
        );
        if *id == EXPORTS
            && let Some(at) = section.windows(OLD.len()).position(|part| part == OLD)
        {
            section.splice(at..at + OLD.len(), NEW.iter().copied());
        }
        patched.push(*id);
        put_leb(&mut patched, section.len());
        patched.extend(section);
        rest = next;
    }
    patched
}

/// A number of variable length, and how many bytes it has.
fn leb(bytes: &[u8]) -> (usize, usize) {
    let length = bytes.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let places = bytes[..length].iter().zip(0_usize..);
    let number = places.map(|(byte, place)| usize::from(byte & 0x7f) << (7 * place));
    (number.sum(), length)
}

fn put_leb(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number % 0x80).unwrap_or(0) | 0x80);
        number /= 0x80;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn bootstrap(record: &Record, servers: &Servers, folder: &TempDir) -> Value {
    let mut properties = record.properties.clone();
    properties.insert("route_name".to_owned(), record.route.clone());
    properties.insert("cluster_name".to_owned(), record.cluster.clone());
    let module = patched(&record.plugin, folder);
    let filters = json!([
        wasm("setter", Path::new(PROBE), &setter(&properties), &properties),
        wasm("plugin", &module, &record.configuration, &Named::new()),
        { "name": "router", "typed_config": {
            "@type": format!("{TYPES}.filters.http.router.v3.Router"),
            "suppress_envoy_headers": true,
        } },
    ]);
    let state = record.state.iter();
    let state: Vec<_> = state
        .map(|name| format!("{name}=%FILTER_STATE(wasm.{name}:PLAIN)% | "))
        .collect();
    let state = state.concat();
    let format = format!(
        "details=%RESPONSE_CODE_DETAILS% | ai_log=%FILTER_STATE(wasm.ai_log:PLAIN)% | {state}\n"
    );
    let connections = json!({
        "@type": format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "main",
        "generate_request_id": false,
        "server_header_transformation": "PASS_THROUGH",
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [
            { "name": record.route, "match": { "prefix": "/" }, "route": { "cluster": record.cluster } },
        ] }] },
        "http_filters": filters,
        "access_log": [{ "name": "file", "typed_config": {
            "@type": format!("{TYPES}.access_loggers.file.v3.FileAccessLog"),
            "path": folder.path().join("access.log"),
            "log_format": { "text_format_source": { "inline_string": format } },
        } }],
    });
    let mut clusters = vec![cluster(&record.cluster, servers.up.address())];
    if let Some(name) = &record.callout {
        clusters.push(cluster(name, servers.callout.address()));
    }
    json!({
        "admin": { "address": socket(([127, 0, 0, 1], 0).into()) },
        "static_resources": {
            "listeners": [{
                "name": "main",
                "address": socket(([127, 0, 0, 1], 0).into()),
                "filter_chains": [{ "filters": [{ "name": "manager", "typed_config": connections }] }],
            }],
            "clusters": clusters,
        },
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip(), "port_value": address.port() } })
}

fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket(address) } }] }],
        },
    })
}

fn wasm(name: &str, module: &Path, configuration: &Value, variables: &Named) -> Value {
    let text = json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": configuration.to_string(),
    });
    json!({
        "name": name,
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.wasm.v3.Wasm"),
            "config": {
                "name": name,
                "configuration": text,
                "allow_on_headers_stop_iteration": true,
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": module } },
                    "environment_variables": { "key_values": variables },
                },
            },
        },
    })
}
