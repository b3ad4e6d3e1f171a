//! Any other host, by a driver: a program that speaks the protocol of the kit's README.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::heard::Whose;
use super::{Control, Ear, Live, START, Stage, Start};
use crate::statement::{Attachment, Filter, Listener};
use crate::trouble::{Trouble, at_path};
use crate::wire::lossy;

/// Longest wait for an answer of a running driver.
const ANSWER: Duration = Duration::from_secs(10);

/// What a driver says that is not a log line.
enum Word {
    Ready(Option<SocketAddr>),
    Refused(String),
    NotApplicable(String),
    Metrics(String),
}

/// The conversation with a running driver.
pub(super) struct Talk {
    input: Option<ChildStdin>,
    words: Receiver<Word>,
}

pub(super) fn start(path: &Path, stage: &Stage) -> Result<Start, Trouble> {
    // The driver listens there; the port was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = address.map_err(|error| Trouble::Host(error.to_string()))?;
    let file = stage.folder.join("scene.json");
    std::fs::write(&file, format!("{:#}", scene(stage, address))).map_err(at_path(&file))?;
    let mut program = stage.watch.spawn(
        Command::new(path)
            .arg(stage.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )?;
    let ear = Ear::new(stage.scene.filters.len());
    let (say, words) = channel();
    if let Some(output) = program.child.stdout.take() {
        let ear = ear.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                read_line(&lossy(&line), &ear, &say);
            }
        });
    }
    if let Some(errors) = program.child.stderr.take() {
        let ear = ear.clone();
        thread::spawn(move || {
            for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
                ear.other(&lossy(&line));
            }
        });
    }
    let input = program.child.stdin.take();
    let ended = || Trouble::Host("the driver ended without a word".to_owned());
    match words.recv_timeout(START).map_err(|_| ended())? {
        Word::Ready(elsewhere) => Ok(Start::Live(Live {
            addresses: vec![elsewhere.unwrap_or(address)],
            ear,
            control: Control::Program(Talk { input, words }),
            program,
        })),
        Word::Refused(why) => {
            ear.other(&why);
            let heard = ear.heard().clone();
            Ok(Start::Refused(heard))
        }
        Word::NotApplicable(why) => Ok(Start::NotApplicable(why)),
        Word::Metrics(_) => Err(Trouble::Host("the driver gave metrics unasked".to_owned())),
    }
}

fn read_line(text: &str, ear: &Ear, say: &Sender<Word>) {
    let Ok(line) = serde_json::from_str::<Json>(text) else {
        return ear.other(text);
    };
    let text_of = |value: &Json, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let word = if let Some(log) = line.get("log") {
        let name = text_of(log, "filter");
        let index = name.strip_prefix('f').and_then(|index| index.parse().ok());
        let level = log.get("level").and_then(Json::as_str).unwrap_or("info");
        return match index {
            Some(index) => ear.line(Whose::Filter(index), level, &text_of(log, "text")),
            None => ear.other(text),
        };
    } else if let Some(Json::Object(access)) = line.get("access") {
        return ear.access(access.clone());
    } else if line.get("ready").is_some() {
        Word::Ready(text_of(&line, "address").parse().ok())
    } else if line.get("refused").is_some() {
        Word::Refused(text_of(&line, "refused"))
    } else if line.get("not_applicable").is_some() {
        Word::NotApplicable(text_of(&line, "not_applicable"))
    } else if line.get("metrics").is_some() {
        Word::Metrics(text_of(&line, "metrics"))
    } else {
        return ear.other(text);
    };
    // Whoever no longer waits does not need it.
    let _ = say.send(word);
}

impl Talk {
    pub(super) fn metrics(&mut self) -> Result<String, Trouble> {
        self.tell("metrics")?;
        match self.words.recv_timeout(ANSWER) {
            Ok(Word::Metrics(text)) => Ok(text),
            _ => Err(Trouble::Host("the driver gave no metrics".to_owned())),
        }
    }

    pub(super) fn set_log_level(&mut self, level: &str) -> Result<(), Trouble> {
        self.tell(&format!("log_level {level}"))
    }

    /// The end of its input is the end of the driver.
    pub(super) fn end(&mut self) {
        self.input = None;
    }

    fn tell(&mut self, line: &str) -> Result<(), Trouble> {
        let told = self.input.as_mut().map(|input| writeln!(input, "{line}"));
        match told {
            Some(Ok(())) => Ok(()),
            _ => Err(Trouble::Host("the driver does not listen".to_owned())),
        }
    }
}

/// The scene as drivers get it.
fn scene(stage: &Stage, address: SocketAddr) -> Json {
    let scene = stage.scene;
    let filters: Vec<Json> = scene
        .filters
        .iter()
        .zip(&stage.modules)
        .map(|(filter, module)| plugin(filter, module))
        .collect();
    let clusters: Map<String, Json> = stage
        .clusters
        .iter()
        .map(|cluster| {
            let value = json!({"addresses": cluster.addresses, "http2": cluster.is_http2});
            (cluster.name.clone(), value)
        })
        .collect();
    json!({
        "listen": address.to_string(),
        "listener": match scene.listener { Listener::Http => "http", Listener::Tcp => "tcp" },
        "workers": scene.workers,
        "body_buffer": scene.body_buffer,
        "log_level": scene.log_level,
        "node": {"id": "n1", "cluster": "nc", "metadata": {"zone": "z"}},
        "metadata": scene.metadata,
        "route_metadata": scene.route_metadata,
        "state": stage.state,
        "clusters": clusters,
        "filters": filters,
    })
}

fn plugin(filter: &Filter, module: &Path) -> Json {
    let environment: Map<_, _> = filter
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), Json::from(value.as_str())))
        .collect();
    let attachment = match filter.attachment {
        Attachment::Chain => "chain",
        Attachment::Log => "log",
        Attachment::Background => "background",
        Attachment::Network => "network",
    };
    json!({
        "name": filter.name,
        "module": module,
        "use": attachment,
        "configuration": filter.configuration,
        "vm_configuration": filter.vm_configuration,
        "vm_id": filter.vm_id,
        "root_id": filter.root_id,
        "share": filter.shares,
        "environment": environment,
        "capabilities": filter.capabilities,
        "on_failure": filter.on_failure,
        "allow_on_headers_stop_iteration": filter.stops_iteration,
        "dialect": filter.dialect,
        "tolerant": filter.is_tolerant,
    })
}
