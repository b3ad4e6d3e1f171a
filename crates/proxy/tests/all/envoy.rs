//! A real Envoy with the same guests: the reference that the tests are held against.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use weir_model::{
    Action, EndpointHost, Filter, Json, Metadata, ModuleSource, Name, OnFailure, PathMatch,
    Protocol, Route, Site, Variable,
};

use crate::capture::Lines;
use crate::stage::Scene;
use crate::upstream::{PATIENCE, eventually_within, locked};

/// A running Envoy; it ends with this value.
pub(crate) struct Envoy {
    pub(crate) address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Envoy {
    pub(crate) fn start(
        scene: Scene,
        lines: HashMap<Name, Lines>,
        log: Arc<Mutex<Vec<u8>>>,
    ) -> Result<Self, String> {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("an address");
        drop(socket);
        let path = scene.folder.path().join("envoy.json");
        let config = bootstrap(&scene.site, address).to_string();
        std::fs::write(&path, config).expect("a file");
        let mut child = Command::new("envoy")
            .arg("-c")
            .arg(&path)
            .args([
                "--concurrency",
                &scene.workers.to_string(),
                "--disable-hot-restart",
                "-l",
                "error",
            ])
            .args(["--component-log-level", "wasm:info", "--log-format", "%v"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("an envoy on the path");
        let errors = child.stderr.take().expect("a pipe");
        let other: Arc<Mutex<Vec<String>>> = Arc::default();
        let unknown = Arc::clone(&other);
        thread::spawn(move || {
            for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if !sort_line(&line, &lines) {
                    locked(&unknown).push(line);
                }
            }
        });
        let mut output = child.stdout.take().expect("a pipe");
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                locked(&log).extend_from_slice(&bytes[..count]);
            }
        });
        let mut envoy = Self {
            address,
            child,
            _folder: scene.folder,
        };
        let ready = eventually_within(4 * PATIENCE, || match envoy.child.try_wait() {
            Ok(None) => TcpStream::connect(address).ok().map(|_| true),
            _ => Some(false),
        });
        if ready == Some(true) {
            Ok(envoy)
        } else {
            Err(locked(&other).join("\n"))
        }
    }
}

/// Gives a line to the filter that logged it.
fn sort_line(line: &str, lines: &HashMap<Name, Lines>) -> bool {
    let Some(rest) = line.split_once("wasm log ").map(|(_, rest)| rest) else {
        return false;
    };
    let Some((prefix, message)) = rest.split_once(": ") else {
        return false;
    };
    // Root contexts are told apart by their vm_id only.
    match prefix.split(' ').find_map(|word| lines.get(word)) {
        Some(lines) => locked(lines).push(message.to_owned()),
        None => return false,
    }
    true
}

fn bootstrap(site: &Site, address: SocketAddr) -> Value {
    let listener = &site.listeners[0];
    let clusters: Vec<Value> = site.clusters.values().map(|cluster| {
        let EndpointHost::Ip(ip) = cluster.endpoints[0].host else { panic!("an address") };
        let protocol = match cluster.protocol {
            Protocol::Http1 => json!({"http_protocol_options": {"enable_trailers": true}}),
            Protocol::Http2 => json!({"http2_protocol_options": {}}),
        };
        json!({
            "name": &*cluster.name, "metadata": metadata(&cluster.metadata), "type": "STATIC", "connect_timeout": "2s",
            "per_connection_buffer_limit_bytes": listener.body_buffer_bytes,
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": protocol}},
            "load_assignment": {"cluster_name": &*cluster.name, "endpoints": [{"lb_endpoints": [{"endpoint": {
                "address": socket(SocketAddr::new(ip, cluster.endpoints[0].port))}}]}]}
        })
    }).collect();
    let chain = listener.routes[0]
        .filters
        .iter()
        .map(|used| &site.filters[&used.filter]);
    let dynamic = set_metadata(&listener.metadata).into_iter();
    let mut filters: Vec<Value> = dynamic.chain(chain.map(|filter| json!({"name": "w", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": plugin(site, filter)}}))).collect();
    filters.push(json!({"name": "r", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", "suppress_envoy_headers": true}}));
    let mut logs: Vec<Value> = listener
        .log_filters
        .iter()
        .map(|used| {
            json!({"name": "w", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.wasm.v3.WasmAccessLog",
        "config": plugin(site, &site.filters[&used.filter])}})
        })
        .collect();
    logs.push(json!({"name": "l", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        "log_format": {"json_format": {"details": "%RESPONSE_CODE_DETAILS%", "status": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%"}}}}));
    let http = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "i", "access_log": logs, "http_filters": filters,
        "access_log_options": {"flush_access_log_on_new_request": false},
        "http_protocol_options": {"enable_trailers": true},
        "route_config": {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"],
            "routes": listener.routes.iter().map(route).collect::<Vec<_>>()}]}
    });
    let services: Vec<Value> = site
        .background
        .iter()
        .map(|used| {
            json!({"name": "envoy.bootstrap.wasm", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService", "singleton": true,
        "config": plugin(site, &site.filters[&used.filter])}})
        })
        .collect();
    json!({
        "node": {"id": "n1", "cluster": "nc", "metadata": {"zone": "z"}},
        "bootstrap_extensions": services,
        "static_resources": {"clusters": clusters, "listeners": [{
            "name": "l", "metadata": metadata(&listener.metadata), "address": socket(address), "per_connection_buffer_limit_bytes": listener.body_buffer_bytes,
            "filter_chains": [{"filters": [{"name": "h", "typed_config": http}]}]}]}
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn text(bytes: &[u8]) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": String::from_utf8_lossy(bytes)})
}

fn plugin(site: &Site, filter: &Filter) -> Value {
    let ModuleSource::File(path) = &site.modules[&filter.module].source;
    let policy = match filter.on_failure {
        OnFailure::Reload => "FAIL_RELOAD",
        OnFailure::Closed => "FAIL_CLOSED",
        OnFailure::Open => "FAIL_OPEN",
    };
    let mut config = json!({
        "name": &*filter.name, "root_id": &*filter.root_id, "failure_policy": policy,
        "allow_on_headers_stop_iteration": filter.headers_stop_iteration.unwrap_or(false),
        "vm_config": {"vm_id": &*filter.vm_id, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": path}}}
    });
    if let Some(names) = &filter.capabilities {
        let names: serde_json::Map<String, Value> =
            names.iter().map(|name| (name.clone(), json!({}))).collect();
        config["capability_restriction_config"] = json!({"allowed_capabilities": names});
    }
    if !filter.environment.is_empty() {
        config["vm_config"]["environment_variables"] = environment(filter);
    }
    if !filter.configuration.is_empty() {
        config["configuration"] = text(&filter.configuration);
    }
    if !filter.vm_configuration.is_empty() {
        config["vm_config"]["configuration"] = text(&filter.vm_configuration);
    }
    config
}

fn metadata(metadata: &Metadata) -> Value {
    let namespaces = metadata.namespaces.iter();
    let namespaces: serde_json::Map<String, Value> = namespaces
        .map(|(name, entries)| (name.clone(), value(&Json::Map(entries.clone()))))
        .collect();
    json!({"filter_metadata": namespaces})
}

/// A filter that gives each exchange its first dynamic metadata.
fn set_metadata(metadata: &Metadata) -> Option<Value> {
    let namespaces = metadata.namespaces.iter();
    let values: Vec<Value> = namespaces
        .map(|(name, entries)| json!({"metadata_namespace": name, "value": value(&Json::Map(entries.clone()))}))
        .collect();
    (!values.is_empty()).then(|| json!({"name": "m", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config", "metadata": values}}))
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => json!(truth),
        Json::Number(number) => json!(number),
        Json::Text(text) => json!(text),
        Json::List(items) => items.iter().map(value).collect(),
        Json::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, one)| (key.clone(), value(one)))
                .collect(),
        ),
    }
}

fn environment(filter: &Filter) -> Value {
    let (mut keys, mut values) = (Vec::new(), serde_json::Map::new());
    for (name, value) in &filter.environment {
        match value {
            Variable::Text(text) => drop(values.insert(name.clone(), json!(text))),
            Variable::OfGateway(source) => keys.push(source),
        }
    }
    json!({"host_env_keys": keys, "key_values": values})
}

fn route(route: &Route) -> Value {
    let mut matches = match &route.matches.path {
        PathMatch::Exact(path) => json!({"path": path}),
        PathMatch::Any | PathMatch::Prefix(_) => json!({"prefix": "/"}),
    };
    if let Some(header) = route.matches.headers.first() {
        matches["headers"] = json!([{"name": header.name, "string_match": {"exact": "side"}}]);
    }
    let facts = metadata(&route.metadata);
    match &route.action {
        Action::Forward(forward) => {
            json!({"name": &*route.name, "match": matches, "metadata": facts,
            "route": {"cluster": &*forward.cluster, "timeout": "10s"}})
        }
        Action::Respond(respond) => json!({"name": &*route.name, "match": matches,
            "direct_response": {"status": respond.status, "body": {"inline_string": String::from_utf8_lossy(&respond.body)}}}),
        Action::Function(_) | Action::Echo => panic!("Envoy has no such end of a route"),
    }
}
