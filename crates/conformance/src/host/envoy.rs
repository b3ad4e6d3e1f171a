//! Envoy, by its own binary and a generated bootstrap.

mod bootstrap;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::heard::Whose;
use super::{Control, Ear, Live, Place, START, Stage, Start, request};
use crate::statement::Attachment;
use crate::trouble::{Trouble, at_path};
use crate::watch::Program;
use crate::wire::{eventually, lossy};

/// What each line of the log begins with; other lines continue the one before.
const MARK: &str = "@@";
/// Between looks at what starts.
const LOOK: Duration = Duration::from_millis(10);

pub(super) fn start(path: &Path, stage: &Stage) -> Result<Start, Trouble> {
    let file = stage.folder.join("envoy.json");
    let text = format!("{:#}", bootstrap::bootstrap(stage));
    std::fs::write(&file, text).map_err(at_path(&file))?;
    let admin = stage.folder.join("admin");
    let level = match stage.scene.log_level.as_str() {
        "warn" => "warning",
        other => other,
    };
    let mut program = stage.watch.spawn(
        Command::new(path)
            .arg("-c")
            .arg(&file)
            .arg("--admin-address-path")
            .arg(&admin)
            .args(["--concurrency", &stage.scene.workers.to_string()])
            .args(["--disable-hot-restart", "-l", "error"])
            .args(["--file-flush-interval-msec", "20"])
            .arg("--component-log-level")
            .arg(format!("wasm:{level}"))
            .arg("--log-format")
            .arg(format!("{MARK}%t %l %v"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )?;
    let ear = Ear::new(stage.scene.filters.len());
    let mut readers = Vec::new();
    if let Some(errors) = program.child.stderr.take() {
        let reader = LogReader::new(stage, program.child.id(), ear.clone());
        readers.push(thread::spawn(move || reader.read(errors)));
    }
    if let Some(output) = program.child.stdout.take() {
        let ear = ear.clone();
        readers.push(thread::spawn(move || read_access(output, &ear)));
    }
    match addresses(&mut program, &admin, stage)? {
        Some((addresses, admin)) => Ok(Start::Live(Live {
            addresses,
            ear,
            control: Control::Envoy(admin),
            program,
        })),
        None => Ok(refused(readers, &ear)),
    }
}

fn refused(readers: Vec<JoinHandle<()>>, ear: &Ear) -> Start {
    for reader in readers {
        // A reader that panicked has told so itself.
        let _ = reader.join();
    }
    let heard = ear.heard().clone();
    Start::Refused(heard.refused())
}

/// Where it listens, for traffic and for operators, once its workers run; `None`: it ended.
fn addresses(
    program: &mut Program,
    admin: &Path,
    stage: &Stage,
) -> Result<Option<(Vec<SocketAddr>, SocketAddr)>, Trouble> {
    let found = eventually(START, || {
        if !matches!(program.child.try_wait(), Ok(None)) {
            return Some(None);
        }
        thread::sleep(LOOK);
        let admin: SocketAddr = std::fs::read_to_string(admin).ok()?.trim().parse().ok()?;
        let started = request(
            admin,
            "GET",
            "/stats?filter=^listener_manager.workers_started$",
        );
        if !started.ok()?.contains("workers_started: 1") {
            return None;
        }
        let listeners = request(admin, "GET", "/listeners?format=json").ok()?;
        let listeners: Json = serde_json::from_str(&listeners).ok()?;
        let listeners = listeners["listener_statuses"].as_array()?;
        let address = |place: &Place| -> Option<SocketAddr> {
            let mut listeners = listeners.iter();
            let listener = listeners.find(|known| known["name"] == place.name)?;
            let address = &listener["local_address"]["socket_address"];
            let port = address["port_value"].as_u64()?;
            format!("{}:{port}", address["address"].as_str()?)
                .parse()
                .ok()
        };
        let addresses: Option<Vec<_>> = stage.listeners.iter().map(address).collect();
        Some(Some((addresses?, admin)))
    });
    found.ok_or_else(|| Trouble::Host("does not say where it listens".to_owned()))
}

/// Gives each line of Envoy's log to whom it belongs.
struct LogReader {
    /// What lines of a filter begin with behind `wasm log`, the longest first: its name, root id and
    /// VM id in a stream, without the name in a root context.
    prefixes: Vec<(String, usize)>,
    /// Filters whose traffic-less copies on the main thread are what counts.
    of_main: Vec<usize>,
    /// The main thread has the process's number.
    main: String,
    ear: Ear,
}

impl LogReader {
    fn new(stage: &Stage, pid: u32, ear: Ear) -> Self {
        let filters = || stage.scene.filters.iter().enumerate();
        let part = |text: &str| {
            if text.is_empty() {
                String::new()
            } else {
                format!(" {text}")
            }
        };
        let mut prefixes: Vec<(String, usize)> = filters()
            .flat_map(|(index, filter)| {
                let root = part(&filter.root_id) + &part(&filter.vm_id);
                [
                    (format!(" {}{root}: ", filter.name), index),
                    (format!("{root}: "), index),
                ]
            })
            .collect();
        // Before there is a context, the one guest of a scene has no name.
        prefixes.extend([(": ".to_owned(), 0), (" : ".to_owned(), 0)]);
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self {
            prefixes,
            of_main: filters()
                .filter(|(_, filter)| filter.attachment == Attachment::Background)
                .map(|(index, _)| index)
                .collect(),
            main: pid.to_string(),
            ear,
        }
    }

    fn read(self, errors: ChildStderr) {
        let mut last = Whose::Other;
        for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
            let line = lossy(&line);
            match parts(&line) {
                Some(parts) => last = self.sort(parts),
                None => self.ear.amend(last, &line),
            }
        }
    }

    /// Gives a line to whom it belongs, and tells to whom.
    fn sort(&self, (thread, level, text): (&str, &str, &str)) -> Whose {
        let known = text.split_once("wasm log").and_then(|(_, rest)| {
            let mut prefixes = self.prefixes.iter();
            let (prefix, filter) = prefixes.find(|(prefix, _)| rest.starts_with(prefix))?;
            Some((&rest[prefix.len()..], *filter))
        });
        let (place, text) = match known {
            None => (Whose::Other, text),
            Some((text, filter)) if thread == self.main && !self.of_main.contains(&filter) => {
                (Whose::Rehearsal(filter), text)
            }
            Some((text, filter)) => (Whose::Filter(filter), text),
        };
        self.ear.line(place, level, text);
        place
    }
}

/// Thread, level in the kit's words, text.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (thread, rest) = line.strip_prefix(MARK)?.split_once(' ')?;
    let (level, text) = rest.split_once(' ')?;
    let level = match level {
        "warning" => "warn",
        other => other,
    };
    Some((thread, level, text))
}

fn read_access(output: ChildStdout, ear: &Ear) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = lossy(&line);
        let Ok(Json::Object(mut line)) = serde_json::from_str(&line) else {
            ear.other(&line);
            continue;
        };
        let state = line.get_mut("state").and_then(Json::as_object_mut);
        let state = state.map(std::mem::take).unwrap_or_default();
        let state: Map<_, _> = state
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect();
        line.insert("state".to_owned(), state.into());
        ear.access(line);
    }
}
