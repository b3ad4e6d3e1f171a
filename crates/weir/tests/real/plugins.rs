//! The plugins of the package `gpustack-higress-plugins` 0.5.1, unmodified: Higress's ABI marker,
//! 5 to 10 MB of Go each. They must do what they did in Envoy 1.40.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::all::harness::{Gateway, refused};
use crate::component;
use crate::exchange::{Exchange, Record, Sights, Told, request_bytes, response_bytes, tidy};

const PROBE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../guests/prebuilt/probe.wasm"
);

#[test]
fn transformer_edits_queries_headers_and_bodies() {
    behaves(include_str!("exchanges/transformer.json"));
}

#[test]
fn ai_statistics_counts_tokens() {
    behaves(include_str!("exchanges/ai-statistics.json"));
}

#[test]
fn ip_acl_knows_the_client() {
    behaves(include_str!("exchanges/ip-acl.json"));
}

/// Plain Envoy has no `route_name` and `cluster_name` and leaves both values empty; recorded beside
/// a filter that sets them, it sends what Weir sends.
#[test]
fn set_header_pre_route_reads_route_and_cluster() {
    behaves(include_str!("exchanges/set-header-pre-route.json"));
}

/// Its calls of Redis are stubs; without a Redis in its configuration it counts by itself.
#[test]
fn rate_limit_counts_without_redis() {
    let gateway = behaves(include_str!("exchanges/rate-limit.json"));
    for import in ["env.proxy_redis_init", "env.proxy_redis_call"] {
        let line = gateway.logged(&format!("import={import}"));
        assert!(line.contains("WARN"), "{line}");
    }
}

#[test]
fn ai_data_masking_masks_and_restores() {
    behaves(include_str!("exchanges/ai-data-masking.json"));
}

/// With a Redis in its configuration, the stub's answer reaches the plugin, which then lets pass.
#[test]
fn rate_limit_survives_the_stub() {
    let mut record = read(include_str!("exchanges/rate-limit.json"));
    record.configuration["redis"] = json!({ "service_name": "redis.static", "service_port": 6379 });
    let told = Told::start();
    let gateway = Gateway::start(&site(&record, &told.address().to_string(), ""));
    gateway.logged("failed to init redis: error status returned by host: unimplemented");
    for exchange in record.exchanges.iter().take(3) {
        let (request, reply) = (
            request_bytes(&exchange.request),
            response_bytes(&exchange.reply),
        );
        let sights = told.ask(gateway.address(), &request, &reply);
        assert_eq!(sights.client[0], "200", "{}", exchange.name);
    }
    gateway.logged("fail-open: error status returned by host: unimplemented");
    gateway.end();
}

#[test]
fn all_fourteen_load() {
    let folder = TempDir::new().expect("a folder can be made");
    let plugins = all_plugins();
    assert_eq!(plugins.len(), 14, "{plugins:?}");
    let (mut modules, mut filters) = (json!({}), json!({}));
    for (name, file) in &plugins {
        modules[name] = json!({ "file": file });
        filters[name] = json!({ "module": name, "configuration": some_configuration(name) });
    }
    let names: Vec<_> = plugins.iter().map(|(name, _)| name).collect();
    let route = json!({ "filters": names, "respond": { "status": 200 } });
    let site = json!({
        "listeners": [{ "address": "127.0.0.1:0", "routes": [route] }],
        "modules": modules,
        "filters": filters,
    });
    let output = check(&folder, &site.to_string());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("14 modules, 14 filters"), "{text}");
    let of_redis = |line: &&str| line.contains("warning: module") && line.contains("proxy_redis");
    assert_eq!(text.lines().filter(of_redis).count(), 4, "{text}");
}

/// Some of them refuse to start without one.
fn some_configuration(plugin: &str) -> Value {
    match plugin {
        "ai-data-masking" => read(include_str!("exchanges/ai-data-masking.json")).configuration,
        "gpustack-lb-session-affinity" => json!({ "sessionKeys": [{ "header": "x-user" }] }),
        "gpustack-set-header-pre-route" => json!({ "routeNameHeader": "x-route" }),
        "transformer" => read(include_str!("exchanges/transformer.json")).configuration,
        _ => json!({}),
    }
}

#[test]
fn strict_imports_refuse_what_envoy_refuses() {
    let record = read(include_str!("exchanges/rate-limit.json"));
    let (code, text) = refused(&site(&record, "127.0.0.1:9", ", strict_imports: true"));
    assert_eq!(code, Some(1), "{text}");
    let words = "missing import: env.proxy_redis";
    assert!(text.contains(words), "{text}");
}

/// Sends the requests of a record to a gateway with its plugin. Every difference is told.
#[track_caller]
fn behaves(text: &str) -> Gateway {
    let record = read(text);
    let told = Told::start();
    let gateway = Gateway::start(&site(&record, &told.address().to_string(), ""));
    let mut differences = String::new();
    for (exchange, number) in record.exchanges.iter().zip(1..) {
        let (request, reply) = (
            request_bytes(&exchange.request),
            response_bytes(&exchange.reply),
        );
        let sights = told.ask(gateway.address(), &request, &reply);
        for difference in differ(exchange, &sights, &gateway, number) {
            differences.extend([exchange.name.as_str(), ": ", &difference, "\n"]);
        }
    }
    assert!(differences.is_empty(), "{}:\n{differences}", record.plugin);
    gateway.settle();
    gateway
}

fn differ(exchange: &Exchange, sights: &Sights, gateway: &Gateway, number: usize) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, was: Value, must: Value| {
        if was != must {
            differences.push(format!("{what}\n   is {was}\n must {must}"));
        }
    };
    let upstream: Vec<_> = exchange.upstream.iter().map(|texts| tidy(texts)).collect();
    compare("upstream", json!(sights.upstream), json!(upstream));
    compare(
        "client",
        json!(sights.client),
        json!(tidy(&exchange.client)),
    );
    let line = gateway.logged(&format!("exchange {number} "));
    let details = line
        .split("details=")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    compare(
        "details",
        json!(details),
        json!(exchange.details.as_deref().unwrap_or("-")),
    );
    let ai_log = line
        .split("ai_log=")
        .nth(1)
        .and_then(|rest| rest.split(" plugin=").next());
    compare("ai_log", without_durations(ai_log), json!(exchange.ai_log));
    for part in &exchange.logged {
        gateway.logged(part);
    }
    differences
}

/// The text that the plugin made: JSON with the quotes escaped, for a log that puts it into quotes.
fn without_durations(ai_log: Option<&str>) -> Value {
    let text = ai_log.unwrap_or_default().replace("\\\"", "\"");
    let Ok(Value::Object(mut log)) = serde_json::from_str(&text) else {
        return Value::Null;
    };
    log.retain(|key, _| !key.ends_with("_duration"));
    Value::Object(log)
}

fn read(text: &str) -> Record {
    serde_json::from_str(text).expect("the record is one")
}

/// One plugin on one route, and a witness that tells in the log what is left at the end.
fn site(record: &Record, upstream: &str, more: &str) -> String {
    let file = plugins_folder().join(&record.plugin).join("plugin.wasm");
    let (route, cluster, configuration) = (
        json!(record.route),
        json!(record.cluster),
        &record.configuration,
    );
    let witness = json!({ "log": [
        { "remember": "exchanges" },
        { "log": "exchange {memory:exchanges} details={property:response.code_details} ai_log={property:ai_log}" },
    ] });
    format!(
        "workers: 1\n\
         listeners:\n\
         \x20 - address: 127.0.0.1:0\n\
         \x20   name: main\n\
         \x20   forwarded_for: keep\n\
         \x20   request_id: false\n\
         \x20   log_filters: [witness]\n\
         \x20   routes:\n\
         \x20     - {{ name: {route}, filters: [plugin], forward: {cluster} }}\n\
         clusters: {{ {cluster}: {{ endpoints: [\"{upstream}\"] }} }}\n\
         modules:\n\
         \x20 plugin: {{ file: {} }}\n\
         \x20 witness: {{ file: {} }}\n\
         filters:\n\
         \x20 plugin: {{ module: plugin, configuration: {configuration}{more} }}\n\
         \x20 witness: {{ module: witness, configuration: {witness} }}\n",
        json!(file),
        json!(PROBE),
    )
}

fn plugins_folder() -> PathBuf {
    component("WEIR_PLUGINS").join("gpustack_higress_plugins/plugins")
}

/// Names and files of all plugins.
fn all_plugins() -> Vec<(String, PathBuf)> {
    let mut plugins = Vec::new();
    for folder in entries(&plugins_folder()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let versions = entries(&folder).into_iter();
        let files = versions.map(|version| version.join("plugin.wasm"));
        let files = files.filter(|file| file.is_file());
        plugins.extend(files.map(|file| (name.clone().into_owned(), file)));
    }
    plugins.sort();
    plugins
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the package has its folders");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.filter(|path| path.is_dir()).collect()
}

fn check(folder: &TempDir, site: &str) -> Output {
    let file = folder.path().join("weir.yaml");
    fs::write(&file, site).expect("the folder can be written");
    let weir = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("check")
        .arg(file)
        .output();
    weir.expect("weir can be started")
}
