//! A real Envoy as a child process, on free ports.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Chain, PREBUILT};
use crate::all::harness::{Wire, until};
use crate::component;

pub(crate) const TYPES: &str = "type.googleapis.com/envoy.extensions";

pub(crate) struct Envoy {
    child: Child,
    listeners: Value,
    _folder: TempDir,
}

impl Envoy {
    /// One worker, one listener a chain, all to this upstream.
    pub(super) fn start(chains: &[Chain], upstream: SocketAddr) -> Self {
        Self::run(&bootstrap(chains, upstream), chains.len())
    }

    /// With a bootstrap that has so many listeners, on ports 0.
    pub(crate) fn run(bootstrap: &Value, listeners: usize) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let (file, admin) = (
            folder.path().join("envoy.json"),
            folder.path().join("admin"),
        );
        fs::write(&file, bootstrap.to_string()).expect("the folder can be written");
        let log = fs::File::create(folder.path().join("log")).expect("the folder can be written");
        let child = Command::new(component("WEIR_ENVOY"))
            .arg("-c")
            .arg(&file)
            .arg("--admin-address-path")
            .arg(&admin)
            .args(["--concurrency", "1", "--disable-hot-restart", "-l", "warn"])
            .args(["--file-flush-interval-msec", "10"])
            .args(["--base-id", "0", "--skip-hot-restart-on-no-parent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Envoy can be started");
        let mut envoy = Self {
            child,
            listeners: Value::Null,
            _folder: folder,
        };
        until("Envoy serves", || envoy.looks_ready(&admin, listeners));
        envoy
    }

    pub(crate) fn address_of(&self, listener: &str) -> SocketAddr {
        let all = self.listeners["listener_statuses"].as_array();
        let found = all
            .into_iter()
            .flatten()
            .find(|one| one["name"] == listener);
        let socket = found.map(|one| &one["local_address"]["socket_address"]["port_value"]);
        let port = socket
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok());
        (
            [127, 0, 0, 1],
            port.unwrap_or_else(|| panic!("no listener {listener} in {}", self.listeners)),
        )
            .into()
    }

    /// Asks for the listeners; keeps them when all are there and the workers run.
    fn looks_ready(&mut self, admin: &std::path::Path, count: usize) -> bool {
        if let Some(status) = self.child.try_wait().expect("Envoy is our child") {
            let log = fs::read_to_string(admin.with_file_name("log")).unwrap_or_default();
            panic!("Envoy ended with {status}:\n{log}");
        }
        let text = fs::read_to_string(admin).unwrap_or_default();
        let Ok(admin) = text.trim().parse::<SocketAddr>() else {
            return false;
        };
        let ask = |path: &str| {
            let mut wire = Wire::connect(admin);
            wire.send(format!("GET {path} HTTP/1.1\r\nhost: admin\r\n\r\n"));
            wire.response()
        };
        if ask("/ready").status() != 200 {
            return false;
        }
        self.listeners = serde_json::from_slice(&ask("/listeners?format=json").body)
            .expect("the admin page is JSON");
        let listeners = self.listeners["listener_statuses"].as_array();
        listeners.is_some_and(|listeners| listeners.len() == count)
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bootstrap(chains: &[Chain], upstream: SocketAddr) -> Value {
    let listeners: Vec<_> = chains.iter().map(listener).collect();
    let address =
        |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let options = json!({
        "@type": format!("{TYPES}.upstreams.http.v3.HttpProtocolOptions"),
        "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
    });
    json!({
        "admin": { "address": address(0) },
        "static_resources": {
            "listeners": listeners,
            "clusters": [{
                "name": "up",
                "type": "STATIC",
                "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options },
                "load_assignment": {
                    "cluster_name": "up",
                    "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(upstream.port()) } }] }],
                },
            }],
        },
    })
}

fn listener(chain: &Chain) -> Value {
    let router = json!({
        "name": "router",
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.router.v3.Router"),
            "suppress_envoy_headers": true,
        },
    });
    let mut filters: Vec<_> = chain
        .filter
        .iter()
        .map(|filter| wasm(chain.name, filter))
        .collect();
    filters.push(router);
    let connection_manager = json!({
        "@type": format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": chain.name,
        "generate_request_id": false,
        "server_header_transformation": "PASS_THROUGH",
        "http_protocol_options": { "enable_trailers": true },
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{ "name": "route", "match": { "prefix": "/" }, "route": { "cluster": "up" } }],
        }] },
        "http_filters": filters,
    });
    json!({
        "name": chain.name,
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "filter_chains": [{ "filters": [{ "name": "connection_manager", "typed_config": connection_manager }] }],
    })
}

/// Weir's defaults for names: a VM of its own, named as the filter.
fn wasm(name: &str, (module, configuration): &(&str, Value)) -> Value {
    let text = configuration.to_string();
    let text = if configuration.is_null() { "" } else { &text };
    json!({
        "name": "wasm",
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.wasm.v3.Wasm"),
            "config": {
                "name": name,
                "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": text },
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": format!("{PREBUILT}/{module}.wasm") } },
                },
            },
        },
    })
}
