//! The plugins of the package `gpustack-higress-plugins` 0.5.1, unmodified: Higress's ABI marker,
//! 5 to 10 MB of Go each. They must do what they did in Envoy 1.40, as `conformance/plugins` has it;
//! `WEIR_RECORD=NAME` records that anew.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::all::harness::{Gateway, refused};
use crate::component;
use crate::exchange::{Exchange, Named, Record, Sights, Told, request_bytes, response_bytes, tidy};
use crate::recorder;

pub(crate) const PROBE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../guests/prebuilt/probe.wasm"
);

#[test]
fn transformer_edits_queries_headers_and_bodies() {
    behaves("transformer");
}

#[test]
fn ai_statistics_counts_tokens() {
    behaves("ai-statistics");
}

#[test]
fn ip_acl_knows_the_client() {
    behaves("ip-acl");
}

/// Plain Envoy has no `route_name` and `cluster_name` and leaves both values empty; recorded beside
/// a filter that sets them, it sends what Weir sends.
#[test]
fn set_header_pre_route_reads_route_and_cluster() {
    behaves("set-header-pre-route");
}

/// Without a Redis in its configuration it counts by itself.
#[test]
fn rate_limit_counts_without_redis() {
    behaves("rate-limit");
}

#[test]
fn ai_data_masking_masks_and_restores() {
    behaves("ai-data-masking");
}

#[test]
fn ai_proxy_speaks_to_its_provider() {
    behaves("ai-proxy");
}

#[test]
fn ext_auth_asks_its_server() {
    behaves("ext-auth");
}

#[test]
fn generic_proxy_router_finds_the_model() {
    behaves("generic-proxy-router");
}

#[test]
fn session_affinity_ranks_by_session() {
    behaves("lb-session-affinity");
}

#[test]
fn least_load_ranks_by_load() {
    behaves("lb-least-load");
}

#[test]
fn decision_service_ranks_by_verdict() {
    behaves("lb-decision-service");
}

#[test]
fn token_usage_measures_and_reports() {
    behaves("token-usage");
}

/// Without a cluster of the Redis's name, the answer reaches the plugin, which then lets pass.
#[test]
fn rate_limit_survives_without_its_redis() {
    let mut record = read("rate-limit");
    record.configuration["redis"] = json!({ "service_name": "redis.static", "service_port": 6379 });
    let servers = Servers::start();
    let gateway = Gateway::start(&site(&record, &servers, ""));
    gateway.logged("failed to init redis: error status returned by host: bad argument");
    for exchange in record.exchanges.iter().take(3) {
        let (sights, _) = servers.play(gateway.address(), exchange);
        assert_eq!(sights.client[0], "200", "{}", exchange.name);
    }
    gateway.logged("fail-open: error status returned by host: bad argument");
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
    assert!(!text.contains("warning: module"), "{text}");
}

/// Some of them refuse to start without one.
fn some_configuration(plugin: &str) -> Value {
    match plugin {
        "ai-data-masking" => read("ai-data-masking").configuration,
        "gpustack-lb-session-affinity" => json!({ "sessionKeys": [{ "header": "x-user" }] }),
        "gpustack-set-header-pre-route" => json!({ "routeNameHeader": "x-route" }),
        "transformer" => read("transformer").configuration,
        _ => json!({}),
    }
}

#[test]
fn strict_imports_refuse_what_envoy_refuses() {
    let record = read("rate-limit");
    let strict = ", dialect: envoy, strict_imports: true";
    let (code, text) = refused(&site(&record, &Servers::start(), strict));
    assert_eq!(code, Some(1), "{text}");
    let words = "missing import: env.proxy_redis";
    assert!(text.contains(words), "{text}");
}

/// Sends the requests of a record to a gateway with its plugin. Every difference is told.
#[track_caller]
fn behaves(name: &str) {
    let record = read(name);
    if recorder::is_wanted(name) {
        return recorder::record(name, record);
    }
    let servers = Servers::start();
    let gateway = Gateway::start(&site(&record, &servers, ""));
    let mut differences = String::new();
    for (exchange, number) in record.exchanges.iter().zip(1..) {
        let sights = servers.play(gateway.address(), exchange);
        let line = gateway.logged(&format!("exchange {number} "));
        let seen = Seen::of(&record, &sights, &line);
        for difference in differ(&record, exchange, &seen) {
            differences.extend([exchange.name.as_str(), ": ", &difference, "\n"]);
        }
        for part in &exchange.logged {
            gateway.logged(part);
        }
    }
    assert!(differences.is_empty(), "{name}:\n{differences}");
    gateway.end();
}

/// The servers of a record's clusters.
pub(crate) struct Servers {
    pub(crate) up: Told,
    pub(crate) callout: Told,
}

impl Servers {
    pub(crate) fn start() -> Self {
        let (up, callout) = (Told::start(), Told::start());
        Self { up, callout }
    }

    /// Plays one exchange; what client, upstream and the server of callouts saw.
    pub(crate) fn play(
        &self,
        gateway: SocketAddr,
        exchange: &Exchange,
    ) -> (Sights, Vec<Vec<String>>) {
        let answer = &exchange.callout_reply;
        let answer = (!answer.is_empty()).then(|| response_bytes(answer));
        self.callout.prepare(&answer.unwrap_or_default());
        let (request, reply) = (
            request_bytes(&exchange.request),
            response_bytes(&exchange.reply),
        );
        let sights = self.up.ask(gateway, &request, &reply);
        (sights, self.callout.wait_for(exchange.callouts.len()))
    }
}

/// What was seen of one exchange, in the form of records.
pub(crate) struct Seen {
    pub(crate) upstream: Option<Vec<String>>,
    pub(crate) client: Vec<String>,
    pub(crate) callouts: Vec<Vec<String>>,
    pub(crate) details: Option<String>,
    pub(crate) ai_log: Option<Value>,
    pub(crate) state: Named,
}

/// Headers of a plugin's own requests that gateways add.
const ADDED: [&str; 3] = [
    "x-forwarded-for:",
    "x-envoy-expected-rq-timeout-ms:",
    "x-envoy-internal:",
];

impl Seen {
    /// `line` has behind `details=`, `ai_log=` and the names of the state, each before ` | `, what they
    /// were at the end.
    pub(crate) fn of(record: &Record, sights: &(Sights, Vec<Vec<String>>), line: &str) -> Self {
        let (sights, callouts) = sights;
        let value = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}="))?;
            let value = rest.split(" | ").next()?;
            (!value.is_empty() && value != "-").then(|| record.steady(value))
        };
        assert!(sights.upstream.len() < 2, "{:?}", sights.upstream);
        let own = |texts: &Vec<String>| {
            let is_own = |text: &String| !ADDED.iter().any(|added| text.starts_with(added));
            let texts: Vec<_> = texts.iter().filter(|text| is_own(text)).cloned().collect();
            record.all_steady(&texts)
        };
        Self {
            upstream: sights
                .upstream
                .first()
                .map(|texts| record.all_steady(texts)),
            client: record.all_steady(&sights.client),
            callouts: callouts.iter().map(own).collect(),
            details: value("details"),
            ai_log: without_durations(value("ai_log")),
            state: record
                .state
                .iter()
                .filter_map(|name| Some((name.clone(), value(name)?)))
                .collect(),
        }
    }
}

fn differ(record: &Record, exchange: &Exchange, seen: &Seen) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, was: Value, must: Value| {
        if was != must {
            differences.push(format!("{what}\n   is {was}\n must {must}"));
        }
    };
    let must = |texts: &Vec<String>| record.all_steady(&tidy(texts));
    let upstream = exchange.upstream.as_ref().map(must);
    compare("upstream", json!(seen.upstream), json!(upstream));
    compare("client", json!(seen.client), json!(must(&exchange.client)));
    let callouts: Vec<_> = exchange.callouts.iter().map(must).collect();
    compare("callouts", json!(seen.callouts), json!(callouts));
    compare("details", json!(seen.details), json!(exchange.details));
    compare("ai_log", json!(seen.ai_log), json!(exchange.ai_log));
    compare("state", json!(seen.state), json!(exchange.state));
    differences
}

/// The text that the plugin made: JSON with the quotes escaped, for a log that puts it into quotes.
fn without_durations(ai_log: Option<String>) -> Option<Value> {
    let text = ai_log?.replace("\\\"", "\"");
    let Ok(Value::Object(mut log)) = serde_json::from_str(&text) else {
        return None;
    };
    log.retain(|key, _| !key.ends_with("_duration"));
    Some(Value::Object(log))
}

/// A record of the kit.
pub(crate) fn read(name: &str) -> Record {
    let text = fs::read_to_string(record_file(name));
    serde_json::from_str(&text.expect("the record is there")).expect("the record is one")
}

pub(crate) fn record_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../conformance/plugins")
        .join(format!("{name}.json"))
}

/// One plugin on one route, before it a filter that sets properties, and a witness that tells in the
/// log what is left at the end.
pub(crate) fn site(record: &Record, servers: &Servers, more: &str) -> String {
    let plugin = plugin_file(&record.plugin);
    let mut names = vec!["plugin"];
    let mut filters =
        json!({ "witness": { "module": "witness", "configuration": witness(record) } });
    if !record.properties.is_empty() {
        names.insert(0, "setter");
        filters["setter"] = json!({
            "module": "witness",
            "configuration": setter(&record.properties),
            "environment": record.properties,
        });
    }
    let cluster =
        |told: &Told| json!({ "endpoints": [told.address().to_string()], "ejection": "off" });
    let mut clusters = json!({});
    clusters[&record.cluster] = cluster(&servers.up);
    if let Some(name) = &record.callout {
        clusters[name] = cluster(&servers.callout);
    }
    let route = json!({ "name": record.route, "filters": names, "forward": record.cluster });
    let listener = json!({
        "address": "127.0.0.1:0", "name": "main", "forwarded_for": "keep", "request_id": false,
        "log_filters": ["witness"], "routes": [route],
    });
    let modules = json!({ "plugin": { "file": plugin }, "witness": { "file": PROBE } });
    let configuration = &record.configuration;
    let filters = filters.to_string();
    let filters = filters.trim_start_matches('{');
    format!(
        "workers: 1\nlisteners: [{listener}]\nclusters: {clusters}\nmodules: {modules}\n\
         filters: {{ plugin: {{ module: plugin, engine: cranelift, configuration: {configuration}{more} }}, {filters}\n"
    )
}

/// A script that logs what is left of an exchange.
fn witness(record: &Record) -> Value {
    let state = record.state.iter();
    let state: Vec<_> = state
        .map(|name| format!("{name}={{property:{name}}} | "))
        .collect();
    let state = state.concat();
    json!({ "log": [
        { "remember": "exchanges" },
        { "log": format!("exchange {{memory:exchanges}} details={{property:response.code_details}} | \
                          ai_log={{property:ai_log}} | {state}") },
    ] })
}

/// A script that sets properties to the variables of their names.
pub(crate) fn setter(properties: &Named) -> Value {
    let names = properties.keys();
    let steps: Vec<_> = names
        .map(|name| json!({ "property": [name, format!("{{env:{name}}}")] }))
        .collect();
    json!({ "request_headers": steps })
}

/// The file of a plugin, by name and version.
pub(crate) fn plugin_file(plugin: &str) -> PathBuf {
    plugins_folder().join(plugin).join("plugin.wasm")
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
