//! Hosts of Proxy-Wasm filters: how each is started with a scene, and what is heard from it.

mod envoy;
mod heard;
mod program;
mod weir;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use heard::{Ear, Heard};

use crate::statement::{Attachment, Case, Scene, Verb};
use crate::trouble::{Trouble, at_path};
use crate::watch::{Program, Watch};
use crate::wire::{Wire, lossy};

/// Longest wait for the start of a host.
const START: Duration = Duration::from_secs(30);

/// Longest wait for the end of a driver that was not asked for.
const DRIVER_END: Duration = Duration::from_secs(10);

/// A host of filters, by the program that runs it.
#[derive(Clone, Debug)]
pub enum Host {
    /// Weir.
    Weir {
        /// Its own binary.
        program: PathBuf,
        /// The isolation of filters that are to share no VM, as Weir's configuration has it;
        /// `process/plugin`: a process with one VM.
        isolation: String,
    },
    /// Envoy's binary.
    Envoy(PathBuf),
    /// A program that drives some other host, as the kit's README describes it.
    Program(PathBuf),
}

/// A scene on a machine: its guests as files, its servers at their addresses.
pub(crate) struct Stage<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) folder: &'a Path,
    /// The guest of each filter; equal guests are one file.
    pub(crate) modules: Vec<PathBuf>,
    pub(crate) clusters: Vec<Cluster>,
    /// One for each group of filters.
    pub(crate) listeners: Vec<Place>,
    /// Names of filter state that the access log must show.
    pub(crate) state: Vec<String>,
    pub(crate) watch: &'a Watch,
}

/// A listener: what it is called, and where its route `main` leads.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) upstream: String,
}

/// A cluster and the servers behind it.
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) is_http2: bool,
}

/// A host that runs; it ends with this value.
pub(crate) struct Live {
    /// Of the listeners, in their order.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) ear: Ear,
    control: Control,
    program: Program,
}

/// How a running host is asked for metrics and told a log level.
enum Control {
    Weir(SocketAddr),
    Envoy(SocketAddr),
    Program(program::Talk),
}

/// What came of a start.
pub(crate) enum Start {
    Live(Live),
    /// The configuration was refused; with all that was heard.
    Refused(Heard),
    /// The host cannot show this scene.
    NotApplicable(String),
}

impl Host {
    /// The name that statements and reports use.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Weir { .. } => "weir".to_owned(),
            Self::Envoy(_) => "envoy".to_owned(),
            Self::Program(path) => {
                let stem = path.file_stem().unwrap_or_default();
                stem.to_string_lossy().into_owned()
            }
        }
    }

    /// Whether the host has what a statement needs, as far as the kit knows.
    pub(crate) fn has(&self, need: &str) -> bool {
        match self {
            Self::Weir { .. } => need != "tls",
            Self::Envoy(_) => matches!(need, "grpc" | "network" | "route_metadata"),
            // Its driver tells.
            Self::Program(_) => true,
        }
    }

    pub(crate) fn start(&self, stage: &Stage) -> Result<Start, Trouble> {
        match self {
            Self::Weir { program, isolation } => weir::start(program, isolation, stage),
            Self::Envoy(path) => envoy::start(path, stage),
            Self::Program(path) => program::start(path, stage),
        }
    }
}

impl<'a> Stage<'a> {
    /// The stage of a case.
    pub(crate) fn of_case(
        case: &'a Case,
        folder: &'a Path,
        clusters: Vec<Cluster>,
        watch: &'a Watch,
    ) -> Result<Self, Trouble> {
        let checks = case.steps.iter().flat_map(|step| &step.verbs);
        let mut state: Vec<String> = checks
            .filter_map(|verb| match verb {
                Verb::Access { check, .. } => Some(check.state_names()),
                _ => None,
            })
            .flatten()
            .map(str::to_owned)
            .collect();
        state.sort();
        state.dedup();
        let listener = Place {
            name: "l".to_owned(),
            upstream: "up".to_owned(),
        };
        let mut stage = Self::new(&case.scene, folder, clusters, vec![listener], watch)?;
        stage.state = state;
        Ok(stage)
    }

    /// Writes the guests of a scene.
    pub(crate) fn new(
        scene: &'a Scene,
        folder: &'a Path,
        clusters: Vec<Cluster>,
        listeners: Vec<Place>,
        watch: &'a Watch,
    ) -> Result<Self, Trouble> {
        let mut modules: Vec<PathBuf> = Vec::new();
        for (index, filter) in scene.filters.iter().enumerate() {
            let mut before = scene.filters[..index].iter();
            let known = before.position(|known| known.code == filter.code);
            let path = known.map_or_else(
                || folder.join(format!("{}.wasm", filter.name)),
                |known| modules[known].clone(),
            );
            std::fs::write(&path, &filter.code).map_err(at_path(&path))?;
            modules.push(path);
        }
        Ok(Self {
            scene,
            folder,
            modules,
            clusters,
            listeners,
            state: Vec::new(),
            watch,
        })
    }

    /// The filters of one kind and listener with their guests.
    pub(crate) fn filters(
        &self,
        attachment: Attachment,
        group: usize,
    ) -> impl Iterator<Item = (&'a crate::statement::Filter, &Path)> {
        let filters = self.scene.filters.iter().zip(&self.modules);
        filters
            .filter(move |(filter, _)| filter.attachment == attachment && filter.group == group)
            .map(|(filter, module)| (filter, module.as_path()))
    }
}

impl Live {
    /// The Prometheus text.
    pub(crate) fn metrics(&mut self) -> Result<String, Trouble> {
        match &mut self.control {
            Control::Weir(admin) => request(*admin, "GET", "/metrics"),
            Control::Envoy(admin) => request(*admin, "GET", "/stats/prometheus"),
            Control::Program(talk) => talk.metrics(),
        }
    }

    pub(crate) fn set_log_level(&mut self, level: &str) -> Result<(), Trouble> {
        match &mut self.control {
            Control::Weir(admin) => {
                request(*admin, "POST", &format!("/log?plugins={level}")).map(drop)
            }
            Control::Envoy(admin) => {
                request(*admin, "POST", &format!("/logging?wasm={level}")).map(drop)
            }
            Control::Program(talk) => talk.set_log_level(level),
        }
    }

    /// Ends the host as an operator does, and waits for its end.
    pub(crate) fn stop(&mut self) -> Result<(), Trouble> {
        match &mut self.control {
            Control::Program(talk) => talk.end(),
            Control::Weir(_) | Control::Envoy(_) => self.program.terminate(),
        }
        let ended = crate::wire::eventually(START, || match self.program.child.try_wait() {
            Ok(None) => None,
            _ => Some(()),
        });
        ended.ok_or_else(|| Trouble::Host("does not end after SIGTERM".to_owned()))
    }

    /// How the host has ended; `None`: it runs.
    pub(crate) fn end(&mut self) -> Option<String> {
        match self.program.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A driver that is killed could not end its host.
        if let Control::Program(talk) = &mut self.control {
            talk.end();
            crate::wire::eventually(DRIVER_END, || match self.program.child.try_wait() {
                Ok(None) => None,
                _ => Some(()),
            });
        }
    }
}

/// Asks an admin page.
fn request(address: SocketAddr, method: &str, path: &str) -> Result<String, Trouble> {
    let failed = |error: std::io::Error| Trouble::Host(format!("admin page {path}: {error}"));
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .map_err(failed)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).map_err(failed)?;
    let mut wire = Wire::new(stream);
    let mut body = Vec::new();
    let head = wire.head().unwrap_or_default();
    let whole = wire.body(&head, true, &mut |bytes| body.extend_from_slice(bytes));
    if whole.is_some() && head.split(' ').nth(1) == Some("200") {
        Ok(lossy(&body))
    } else {
        let body = lossy(&body);
        Err(Trouble::Host(format!("admin page {path}: {head}{body}")))
    }
}
