//! Envoy's configuration of a scene.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::super::{Cluster, Stage};
use crate::statement::{Attachment, Filter, Listener};

/// The prefix of Envoy's type names.
const TYPES: &str = "type.googleapis.com/";

pub(super) fn bootstrap(stage: &Stage) -> Json {
    let clusters: Vec<Json> = stage
        .clusters
        .iter()
        .map(|known| cluster(stage, known))
        .collect();
    let services: Vec<Json> = stage
        .filters(Attachment::Background, 0)
        .map(|(filter, module)| {
            let service = typed(
                "envoy.extensions.wasm.v3.WasmService",
                json!({"singleton": true, "config": plugin(filter, module)}),
            );
            json!({"name": "envoy.bootstrap.wasm", "typed_config": service})
        })
        .collect();
    let listeners: Vec<Json> = (0..stage.listeners.len())
        .map(|group| listener(stage, group))
        .collect();
    json!({
        "node": {"id": "n1", "cluster": "nc", "metadata": {"zone": "z"}},
        "admin": {"address": socket(([127, 0, 0, 1], 0).into())},
        // Histograms are shown once they are merged, which happens then.
        "stats_flush_interval": "0.2s",
        "bootstrap_extensions": services,
        "static_resources": {"clusters": clusters, "listeners": listeners},
    })
}

fn listener(stage: &Stage, group: usize) -> Json {
    let filters = match stage.scene.listener {
        Listener::Http => vec![json!({"name": "http", "typed_config": http(stage, group)})],
        Listener::Tcp => tcp(stage, group),
    };
    json!({
        "name": stage.listeners[group].name,
        "address": socket(([127, 0, 0, 1], 0).into()),
        "per_connection_buffer_limit_bytes": stage.scene.body_buffer,
        "filter_chains": [{"filters": filters}],
    })
}

/// A message with its type.
fn typed(name: &str, mut message: Json) -> Json {
    message["@type"] = format!("{TYPES}{name}").into();
    message
}

fn socket(address: SocketAddr) -> Json {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn cluster(stage: &Stage, cluster: &Cluster) -> Json {
    let name = &cluster.name;
    let endpoints = cluster.addresses.iter();
    let endpoints: Vec<Json> = endpoints
        .map(|address| json!({"endpoint": {"address": socket(*address)}}))
        .collect();
    let protocol = if cluster.is_http2 {
        json!({"http2_protocol_options": {}})
    } else {
        json!({"http_protocol_options": {"enable_trailers": true}})
    };
    let options = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        json!({"explicit_http_config": protocol}),
    );
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "per_connection_buffer_limit_bytes": stage.scene.body_buffer,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    })
}

/// The connection manager with its filters and routes.
fn http(stage: &Stage, group: usize) -> Json {
    let mut filters = Vec::new();
    if !stage.scene.metadata.is_empty() {
        filters.push(set_metadata(&stage.scene.metadata));
    }
    for (filter, module) in stage.filters(Attachment::Chain, group) {
        let config = typed(
            "envoy.extensions.filters.http.wasm.v3.Wasm",
            json!({"config": plugin(filter, module)}),
        );
        filters.push(json!({"name": "wasm", "typed_config": config}));
    }
    let router = typed(
        "envoy.extensions.filters.http.router.v3.Router",
        json!({"suppress_envoy_headers": true}),
    );
    filters.push(json!({"name": "router", "typed_config": router}));
    typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": "i",
            "access_log": access_logs(stage, group),
            "http_filters": filters,
            "http_protocol_options": {"enable_trailers": true},
            "route_config": {"name": "r", "virtual_hosts": [
                {"name": "v", "domains": ["*"], "routes": routes(stage, group)}]},
        }),
    )
}

fn set_metadata(metadata: &Map<String, Json>) -> Json {
    let entries: Vec<Json> = metadata
        .iter()
        .map(|(namespace, value)| json!({"metadata_namespace": namespace, "value": value}))
        .collect();
    let config = typed(
        "envoy.extensions.filters.http.set_metadata.v3.Config",
        json!({"metadata": entries}),
    );
    json!({"name": "set_metadata", "typed_config": config})
}

fn access_logs(stage: &Stage, group: usize) -> Vec<Json> {
    let mut logs: Vec<Json> = stage
        .filters(Attachment::Log, group)
        .map(|(filter, module)| {
            let config = typed(
                "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog",
                json!({"config": plugin(filter, module)}),
            );
            json!({"name": "wasm", "typed_config": config})
        })
        .collect();
    let state: Map<String, Json> = stage
        .state
        .iter()
        .map(|name| (name.clone(), format!("%FILTER_STATE({name}:PLAIN)%").into()))
        .collect();
    let details = match stage.scene.listener {
        Listener::Http => "%RESPONSE_CODE_DETAILS%",
        Listener::Tcp => "%DOWNSTREAM_LOCAL_CLOSE_REASON%",
    };
    let mut format = json!({
        "listener": stage.listeners[group].name,
        "status": "%RESPONSE_CODE%",
        "details": details,
        "flags": "%RESPONSE_FLAGS%",
    });
    if !state.is_empty() {
        format["state"] = state.into();
    }
    let config = typed(
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        json!({"log_format": {"json_format": format}}),
    );
    logs.push(json!({"name": "lines", "typed_config": config}));
    logs
}

fn routes(stage: &Stage, group: usize) -> Json {
    let forward = |cluster: &str| json!({"cluster": cluster, "timeout": "10s"});
    let mut main = json!({"name": "main", "match": {"prefix": "/"}, "route": forward(&stage.listeners[group].upstream)});
    if !stage.scene.route_metadata.is_empty() {
        main["metadata"] = json!({"filter_metadata": stage.scene.route_metadata});
    }
    let side = json!({"prefix": "/", "headers": [
        {"name": "x-route", "string_match": {"exact": "side"}}]});
    json!([
        {"name": "other", "match": {"path": "/other"},
            "direct_response": {"status": 200, "body": {"inline_string": "other"}}},
        {"name": "side", "match": side, "route": forward("side")},
        main,
    ])
}

/// The chain of a TCP listener.
fn tcp(stage: &Stage, group: usize) -> Vec<Json> {
    let mut filters: Vec<Json> = stage
        .filters(Attachment::Network, group)
        .map(|(filter, module)| {
            let config = typed(
                "envoy.extensions.filters.network.wasm.v3.Wasm",
                json!({"config": plugin(filter, module)}),
            );
            json!({"name": "wasm", "typed_config": config})
        })
        .collect();
    let proxy = typed(
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        json!({"stat_prefix": "t", "cluster": stage.listeners[group].upstream, "access_log": access_logs(stage, group)}),
    );
    filters.push(json!({"name": "tcp", "typed_config": proxy}));
    filters
}

/// A configuration: a text as it is, anything else as JSON text. (As a structure, Envoy 1.40 would
/// hand it to the guest in protobuf's encoding.)
fn payload(value: &Json) -> Json {
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    typed("google.protobuf.StringValue", json!({"value": text}))
}

fn plugin(filter: &Filter, module: &Path) -> Json {
    let policy = format!("FAIL_{}", filter.on_failure.to_ascii_uppercase());
    let mut vm = json!({
        "vm_id": filter.vm_id,
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": module}},
    });
    if !filter.vm_configuration.is_null() {
        vm["configuration"] = payload(&filter.vm_configuration);
    }
    if !filter.environment.is_empty() {
        let variables = filter.environment.iter();
        let variables: Map<_, _> = variables
            .map(|(name, value)| (name.clone(), Json::from(value.as_str())))
            .collect();
        vm["environment_variables"] = json!({"key_values": variables});
    }
    let mut plugin = json!({
        "name": filter.name,
        "root_id": filter.root_id,
        "failure_policy": policy,
        "allow_on_headers_stop_iteration": filter.stops_iteration,
        "vm_config": vm,
    });
    if !filter.configuration.is_null() {
        plugin["configuration"] = payload(&filter.configuration);
    }
    if let Some(names) = &filter.capabilities {
        let allowed: Map<_, _> = names.iter().map(|name| (name.clone(), json!({}))).collect();
        plugin["capability_restriction_config"] = json!({"allowed_capabilities": allowed});
    }
    plugin
}
