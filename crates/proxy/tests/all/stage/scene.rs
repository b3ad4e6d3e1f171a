//! The configuration of a stage.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use weir_model::{
    AccessLog, Action, Cluster, Endpoint, EndpointHost, FilterUse, Forward, ForwardedFor,
    HeaderMatch, HeaderTest, Listener, Module, ModuleSource, Name, Node, PathMatch, Respond,
    Retries, Route, RouteMatch, SharedMap, Site,
};

use super::{Role, Stage};
use crate::upstream::Upstream;

/// What the gateway knows of the world around it.
pub(crate) struct Scene {
    pub(crate) site: Site,
    pub(crate) workers: usize,
    pub(crate) folder: tempfile::TempDir,
}

impl Stage {
    pub(super) fn scene(self, upstream: &Upstream, side: &Upstream) -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let mut modules: BTreeMap<Name, Module> = BTreeMap::new();
        let mut codes: Vec<(Vec<u8>, Name)> = Vec::new();
        let mut site = site(self.maps);
        let mut listener = Listener::at(([127, 0, 0, 1], 0).into());
        let mut chain = Vec::new();
        for (mut filter, code, role) in self.filters {
            let known = codes
                .iter()
                .find(|(known, _)| *known == code)
                .map(|(_, name)| name.clone());
            filter.module = known.unwrap_or_else(|| {
                let path = folder.path().join(format!("{}.wasm", filter.module));
                std::fs::write(&path, &code).expect("a file");
                let name = filter.module.clone();
                modules.insert(name.clone(), module(&name, path));
                codes.push((code, name.clone()));
                name
            });
            let used = FilterUse {
                filter: filter.name.clone(),
                configuration: None,
            };
            match role {
                Role::Chain => chain.push(used),
                Role::Log => listener.log_filters.push(used),
                Role::Background => site.background.push(used),
            }
            site.filters.insert(filter.name.clone(), filter);
        }
        listener.routes = routes(&chain, self.idle);
        listener.metadata = self.metadata.clone();
        for route in &mut listener.routes {
            if let Some((name, configuration)) = &self.configured
                && route.name == *name
            {
                for used in &mut route.filters {
                    used.configuration = Some((*configuration).into());
                }
            }
            if &*route.name == "main" {
                route.metadata = self.metadata.clone();
            }
        }
        listener.body_buffer_bytes = self.buffer_bytes;
        listener.forwarded_for = ForwardedFor::Keep;
        listener.access_log = AccessLog::Stdout;
        site.listeners.push(listener);
        site.modules = modules;
        let dead =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let dead = dead.expect("a port that is free again");
        for (name, address) in [
            ("up", upstream.address),
            ("side", side.address),
            ("dead", dead),
        ] {
            site.clusters.insert(name.into(), cluster(name, address));
        }
        if let Some(up) = site.clusters.get_mut("up") {
            up.metadata = self.metadata;
        }
        for (name, address) in [("dead2", Some(dead)), ("peer", self.peer)] {
            if let Some(address) = address {
                let mut cluster = cluster(name, address);
                cluster.protocol = weir_model::Protocol::Http2;
                site.clusters.insert(name.into(), cluster);
            }
        }
        Scene {
            site,
            workers: self.workers,
            folder,
        }
    }
}

fn module(name: &Name, path: PathBuf) -> Module {
    Module {
        name: name.clone(),
        source: ModuleSource::File(path),
        build: None,
    }
}

fn site(maps: Vec<(Name, SharedMap)>) -> Site {
    Site {
        listeners: Vec::new(),
        clusters: BTreeMap::new(),
        modules: BTreeMap::new(),
        filters: BTreeMap::new(),
        maps: maps.into_iter().collect(),
        stores: BTreeMap::new(),
        background: Vec::new(),
        admin: None,
        workers: None,
        drain_timeout: Duration::from_secs(5),
        node: Node {
            id: "n1".into(),
            cluster: "nc".into(),
            metadata: BTreeMap::from([("zone".into(), "z".into())]),
        },
        functions: BTreeMap::new(),
        function_instances: 1,
        trust: weir_model::Trust::default(),
        code_cache: weir_model::CodeCache::Off,
        capsules: None,
    }
}

/// `/other` answers by itself; the header `x-route: side` leads to the other upstream.
fn routes(chain: &[FilterUse], idle: Option<Duration>) -> Vec<Route> {
    let respond = Respond {
        status: 200,
        headers: Vec::new(),
        body: "other".into(),
    };
    let route = |name: &str, matches, action| Route {
        name: name.into(),
        matches,
        filters: chain.to_vec(),
        action,
        metadata: weir_model::Metadata::default(),
    };
    let by_path = RouteMatch {
        path: PathMatch::Exact("/other".into()),
        ..RouteMatch::default()
    };
    let by_header = RouteMatch {
        headers: vec![HeaderMatch {
            name: "x-route".into(),
            test: HeaderTest::Exact("side".into()),
        }],
        ..RouteMatch::default()
    };
    let forward = |cluster: &str| {
        Action::Forward(Forward {
            cluster: cluster.into(),
            timeout: Some(Duration::from_secs(10)),
            idle_timeout: idle,
            retries: Retries::default(),
        })
    };
    vec![
        route("other", by_path, Action::Respond(respond)),
        route("side", by_header, forward("side")),
        route("main", RouteMatch::default(), forward("up")),
    ]
}

fn cluster(name: &str, address: std::net::SocketAddr) -> Cluster {
    Cluster {
        name: name.into(),
        endpoints: vec![Endpoint {
            host: EndpointHost::Ip(address.ip()),
            port: address.port(),
        }],
        protocol: weir_model::Protocol::Http1,
        load_balancing: weir_model::LoadBalancing::RoundRobin,
        connect_timeout: Duration::from_secs(2),
        idle_timeout: weir_model::limits::UPSTREAM_IDLE_TIMEOUT,
        max_connections: 100,
        ejection: None,
        dns_refresh: Duration::from_secs(5),
        metadata: weir_model::Metadata::default(),
    }
}
