//! A gateway with guests, an upstream for requests and one for callouts.
//!
//! `WEIR_ORACLE=envoy` plays the same tests with a real Envoy, to see whether they are right.

mod scene;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use weir_model::{
    Dialect, FailureRules, Filter, GuestLimits, Isolation, MapRight, Metadata, Name, OnFailure,
    Recycling, SharedMap, Strictness,
};
use weir_proxy::touched::Kind;
use weir_proxy::worker::Running;
use weir_proxy::{Prepared, Process};

use crate::capture::{Lines, lines_of};
use crate::client::{Client, Response};
use crate::desk::Desk;
use crate::envoy::Envoy;
use crate::upstream::{Answers, Upstream, eventually, locked};
pub(crate) use scene::Scene;

/// A plain answer.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// A plain request.
pub(crate) const GET: &str = "GET /p?q=1 HTTP/1.1\r\nhost: h\r\n\r\n";

/// Where a filter is used.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Chain,
    Log,
    Background,
}

/// A gateway to be started.
pub(crate) struct Stage {
    pub(crate) filters: Vec<(Filter, Vec<u8>, Role)>,
    pub(crate) workers: usize,
    pub(crate) buffer_bytes: usize,
    /// Of the listener, the route `main` and the cluster `up`.
    pub(crate) metadata: Metadata,
    answer: String,
    answers: Answers,
    side: String,
    side_answers: Answers,
    /// A route whose filters have a configuration of their own.
    pub(crate) configured: Option<(Name, &'static str)>,
    /// The cluster `peer`, if there is one.
    pub(crate) peer: Option<std::net::SocketAddr>,
    /// Who keeps the map `m`.
    desk: Option<Desk>,
    /// Of the routes that lead to an upstream.
    pub(crate) idle: Option<Duration>,
    pub(crate) maps: Vec<(Name, SharedMap)>,
}

/// A gateway that runs.
pub(crate) struct Gateway {
    host: Host,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) upstream: Upstream,
    /// The server behind the cluster `side`.
    pub(crate) side: Upstream,
    names: Vec<Name>,
    lines: Vec<Lines>,
    log: Log,
}

enum Host {
    Weir {
        running: Running,
        process: Arc<Process>,
        _folder: tempfile::TempDir,
    },
    Envoy {
        _process: Envoy,
    },
}

/// Whether the tests are played with Envoy.
pub(crate) fn is_oracle() -> bool {
    std::env::var("WEIR_ORACLE").is_ok_and(|oracle| oracle == "envoy")
}

/// A stage with one filter.
pub(crate) fn with(code: Vec<u8>) -> Stage {
    Stage::new().filter(code)
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            filters: Vec::new(),
            workers: 1,
            buffer_bytes: 1 << 20,
            metadata: Metadata::default(),
            answer: OK.to_owned(),
            answers: Answers::AfterBody,
            side: OK.to_owned(),
            side_answers: Answers::AfterBody,
            configured: None,
            peer: None,
            desk: None,
            idle: None,
            maps: Vec::new(),
        }
    }

    /// Grants the last filter the map `m`, which the desk keeps.
    pub(crate) fn late(mut self, desk: &Desk) -> Self {
        self.maps.retain(|(name, _)| &**name != "m");
        self.desk = Some(desk.clone());
        let stage = self.map("m", SharedMap::default());
        stage.tune(|filter| {
            let rights = MapRight::ALL.into_iter().collect();
            filter.grants.maps.maps.insert("m".into(), rights);
        })
    }

    /// How long nothing may happen to a request.
    pub(crate) fn idle(mut self, time: Duration) -> Self {
        self.idle = Some(time);
        self
    }

    /// A shared map.
    pub(crate) fn map(mut self, name: &str, map: SharedMap) -> Self {
        self.maps.push((name.into(), map));
        self
    }

    /// One more filter at the end of the chain.
    pub(crate) fn filter(mut self, code: Vec<u8>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name: Name = format!("f{}", COUNT.fetch_add(1, Ordering::Relaxed)).into();
        let filter = Filter {
            name: Arc::clone(&name),
            module: name.clone(),
            vm_id: name,
            root_id: "".into(),
            vm_configuration: "".into(),
            configuration: "".into(),
            environment: Vec::new(),
            capabilities: None,
            engine: weir_model::EngineChoice::Cranelift,
            grants: weir_model::Grants::default(),
            sees: None,
            isolation: Isolation::Plugin,
            limits: GuestLimits {
                call: Duration::from_secs(2),
                request: Duration::from_secs(10),
                // Tests of the limit in flight make all their calls for one request.
                request_callouts: u32::MAX,
                ..GuestLimits::default()
            },
            on_failure: OnFailure::Reload,
            failures: FailureRules::default(),
            recycling: Recycling::default(),
            strictness: Strictness::Strict,
            dialect: Dialect::Auto,
            headers_stop_iteration: None,
            recording: None,
        };
        self.filters.push((filter, code, Role::Chain));
        self
    }

    /// Changes the last filter.
    pub(crate) fn tune(mut self, change: impl FnOnce(&mut Filter)) -> Self {
        change(&mut self.filters.last_mut().expect("a filter").0);
        self
    }

    /// Uses the last filter elsewhere.
    pub(crate) fn role(mut self, role: Role) -> Self {
        self.filters.last_mut().expect("a filter").2 = role;
        self
    }

    pub(crate) fn upstream(mut self, answer: impl Into<String>) -> Self {
        self.answer = answer.into();
        self
    }

    pub(crate) fn answers(mut self, when: Answers) -> Self {
        self.answers = when;
        self
    }

    /// Another configuration for the filters of a route.
    pub(crate) fn configure(mut self, route: &str, configuration: &'static str) -> Self {
        self.configured = Some((route.into(), configuration));
        self
    }

    /// A cluster `peer` that speaks HTTP/2.
    pub(crate) fn peer(mut self, address: std::net::SocketAddr) -> Self {
        self.peer = Some(address);
        self
    }

    pub(crate) fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    #[track_caller]
    pub(crate) fn start(self) -> Gateway {
        self.try_start().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts it, or tells why not.
    pub(crate) fn try_start(self) -> Result<Gateway, String> {
        let upstream = Upstream::start(&self.answer, self.answers);
        let side = Upstream::start(&self.side, self.side_answers);
        let names: Vec<Name> = self
            .filters
            .iter()
            .map(|(filter, _, _)| filter.name.clone())
            .collect();
        let mut lines: Vec<Lines> = names.iter().map(|name| lines_of(name)).collect();
        let vm_ids: Vec<Name> = self
            .filters
            .iter()
            .map(|(filter, _, _)| filter.vm_id.clone())
            .collect();
        let desk = self.desk.clone();
        let scene = self.scene(&upstream, &side);
        let log = Log::default();
        let (host, address) = if is_oracle() {
            lines = names.iter().map(|_| Lines::default()).collect();
            let by_vm_id = vm_ids.into_iter().zip(lines.iter().cloned());
            let by_name = names.iter().cloned().zip(lines.iter().cloned());
            let known = by_vm_id.chain(by_name).collect();
            let envoy = Envoy::start(scene, known, Arc::clone(&log.0))?;
            let address = envoy.address;
            (Host::Envoy { _process: envoy }, address)
        } else {
            start_weir(scene, desk.as_ref(), log.clone())?
        };
        Ok(Gateway {
            host,
            address,
            upstream,
            side,
            names,
            lines,
            log,
        })
    }
}

fn start_weir(
    scene: Scene,
    desk: Option<&Desk>,
    log: Log,
) -> Result<(Host, std::net::SocketAddr), String> {
    let mut prepared = Prepared::new(Arc::new(scene.site)).map_err(|error| error.to_string())?;
    if let Some(desk) = desk {
        let kept = prepared.keep_map(&"m".into(), desk.store());
        prepared = kept.map_err(|error| error.to_string())?;
    }
    let process = prepared.process();
    let workers = NonZeroUsize::new(scene.workers).expect("a worker");
    let running = prepared
        .start(workers, Box::new(log))
        .map_err(|error| error.to_string())?;
    let address = running.addresses()[0].1;
    Ok((
        Host::Weir {
            running,
            process,
            _folder: scene.folder,
        },
        address,
    ))
}

impl Gateway {
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Response {
        let mut client = self.client();
        client.send(request);
        client.response()
    }

    /// Name of the filter at an index.
    pub(crate) fn name(&self, filter: usize) -> &str {
        &self.names[filter]
    }

    /// What a filter has logged.
    pub(crate) fn logs(&self, filter: usize) -> Vec<String> {
        locked(&self.lines[filter]).clone()
    }

    /// Where its lines are, for when there is no gateway any more.
    pub(crate) fn lines(&self, filter: usize) -> Lines {
        Lines::clone(&self.lines[filter])
    }

    /// What a filter has logged, once there are so many lines.
    pub(crate) fn logs_when(&self, filter: usize, count: usize) -> Vec<String> {
        eventually(|| (self.logs(filter).len() >= count).then_some(()));
        self.logs(filter)
    }

    /// Waits for a line.
    #[track_caller]
    pub(crate) fn until(&self, filter: usize, line: &str) {
        let found = eventually(|| {
            self.logs(filter)
                .iter()
                .any(|known| known == line)
                .then_some(())
        });
        assert!(
            found.is_some(),
            "no line {line:?} in {:#?}",
            self.logs(filter)
        );
    }

    /// The filter has logged this, or does so soon.
    #[track_caller]
    pub(crate) fn check(&self, filter: usize, expected: &[&str]) {
        eventually(|| (self.logs(filter).len() >= expected.len()).then_some(()));
        let logs = self.logs(filter);
        assert_eq!(logs, expected, "log lines");
    }

    /// The details of the first exchange in the access log.
    #[track_caller]
    pub(crate) fn details(&self) -> String {
        self.log_lines(1)[0]["details"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Lines of the access log, once there are so many.
    #[track_caller]
    pub(crate) fn log_lines(&self, count: usize) -> Vec<serde_json::Value> {
        let lines = eventually(|| {
            let text = String::from_utf8_lossy(&locked(&self.log.0)).into_owned();
            let lines: Vec<_> = text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            (lines.len() >= count).then_some(lines)
        });
        lines.expect("lines in the access log")
    }

    /// What operators learn about a filter.
    pub(crate) fn report(&self, filter: usize) -> weir_proxy::plugin::FilterReport {
        let Host::Weir { process, .. } = &self.host else {
            panic!("Envoy counts in another way");
        };
        let stats = process.filter_stats().into_iter();
        let mut stats = stats.filter(|(name, _)| *name == self.names[filter]);
        stats.next().expect("a filter").1
    }

    /// What a filter touched or was refused: kind, name, times it was refused.
    pub(crate) fn touched(&self, filter: usize) -> Vec<(Kind, String, u64)> {
        let Host::Weir { process, .. } = &self.host else {
            panic!("Envoy notes nothing")
        };
        let touched = process.touched(&self.names[filter]).expect("a filter");
        let entries = touched.entries().into_iter();
        entries
            .map(|(kind, name, counts)| (kind, name, counts.refused))
            .collect()
    }

    /// What it touched, as YAML.
    pub(crate) fn page(&self, filter: usize) -> String {
        let Host::Weir { process, .. } = &self.host else {
            panic!("Envoy notes nothing")
        };
        let touched = process.touched(&self.names[filter]).expect("a filter");
        touched.page(&self.names[filter], weir_model::GrantMode::DryRun)
    }

    /// The engine of shared maps.
    pub(crate) fn maps(&self) -> &weir_maps::Engine {
        match &self.host {
            Host::Weir { process, .. } => process.maps(),
            Host::Envoy { .. } => panic!("Envoy has no maps"),
        }
    }

    /// From which level on plugins log.
    pub(crate) fn plugin_log(&self) -> &weir_proxy::plugin::PluginLog {
        match &self.host {
            Host::Weir { process, .. } => &process.plugin_log,
            Host::Envoy { .. } => panic!("Envoy's level is elsewhere"),
        }
    }

    /// Ends the gateway as an operator does.
    pub(crate) fn drain(self) {
        if let Host::Weir { running, .. } = self.host {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(running.drain(Duration::from_secs(2)));
        }
    }
}

/// The access log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        locked(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
