//! A module that is run by hand: `weir run`.
//!
//! It has what its user has said, and no limits: time and memory are the user's own. Core modules have
//! the host functions of the kinds `core` and `command`, components what they may import elsewhere.

mod component;
mod core;
mod printer;
mod values;

use std::path::PathBuf;

use bytes::Bytes;
use tokio::sync::mpsc;
use wasmtime::{Config, Engine};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};
use weir_model::one_line;

use crate::load::Layer;
use crate::surroundings::{Stream, Surroundings};
pub use values::ArgumentError;

/// What is run, and how.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Its name, which is its first argument.
    pub name: String,
    /// The others.
    pub arguments: Vec<String>,
    /// Variables.
    pub environment: Vec<(String, String)>,
    /// Folders of the host, and what the guest calls them.
    pub folders: Vec<(PathBuf, String)>,
    /// The export that is called; `None`: the module is run as a command.
    pub invoke: Option<Invoke>,
    /// Which of the guest's streams are terminals.
    pub terminals: Terminals,
}

/// A call of an export.
#[derive(Clone, Debug, Default)]
pub struct Invoke {
    /// The export.
    pub export: String,
    /// Whether `_start` runs first.
    pub starts: bool,
    /// Whether what it answers stands for text.
    pub is_text: bool,
}

/// Which of the standard streams are terminals.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminals {
    /// Standard output.
    pub out: bool,
    /// Standard error.
    pub error: bool,
}

/// Bytes that the guest writes to a stream.
pub type Written = (Stream, Bytes);

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exit(i32),
    /// The export has answered: a line for each result.
    Answered(Vec<String>),
}

/// Why it did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Not WebAssembly, or broken.
    #[error("it is no valid module: {}", one_line(.0))]
    Corrupted(String),
    /// It imports what the host does not have.
    #[error("the host does not offer what it imports: {}", one_line(.0))]
    Import(String),
    /// There is nothing to run.
    #[error("it exports no {wanted}, but {}", one_line(found))]
    Export {
        /// What was looked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// The arguments do not fit.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// A folder cannot be opened.
    #[error("the folder {} cannot be opened: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: String,
    },
    /// The engine does not work on this machine.
    #[error("WebAssembly cannot run on this machine: {0}")]
    Unsupported(String),
    /// Exports of components are not called by hand.
    #[error(
        "--invoke calls exports of core modules, and this is a component: run it as a command, or give \
         it to a route as a function of the kind `export`"
    )]
    Component,
    /// It failed.
    #[error("it failed: {0}")]
    Trapped(String),
}

/// Runs it to its end, on a current-thread runtime of tokio. What it writes goes to the channel; it
/// writes on when that has been received.
///
/// # Errors
/// [`RunError`].
pub async fn run(
    module: &[u8],
    program: &Program,
    surroundings: Box<dyn Surroundings>,
    written: mpsc::Sender<Written>,
) -> Result<Ended, RunError> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine =
        Engine::new(&config).map_err(|error| RunError::Unsupported(format!("{error:#}")))?;
    let wasi = wasi(program, &written)?;
    match (Layer::of(module), &program.invoke) {
        (Some(Layer::Component), Some(_)) => Err(RunError::Component),
        (Some(Layer::Component), None) => component::run(&engine, module, wasi, surroundings).await,
        (Some(Layer::Module), _) => core::run((&engine, module), program, wasi, surroundings).await,
        (None, _) => Err(RunError::Corrupted(
            "it does not begin as WebAssembly".to_owned(),
        )),
    }
}

/// What it sees through WASI.
fn wasi(program: &Program, written: &mpsc::Sender<Written>) -> Result<WasiCtxBuilder, RunError> {
    let mut wasi = WasiCtxBuilder::new();
    let out = printer::output(Stream::Out, program.terminals.out, written.clone());
    let error = printer::output(Stream::Error, program.terminals.error, written.clone());
    wasi.allow_tcp(false)
        .allow_udp(false)
        .arg(&program.name)
        .args(if program.invoke.is_some() {
            &[]
        } else {
            &program.arguments
        })
        .envs(&program.environment)
        .stdin(wasmtime_wasi::cli::stdin())
        .stdout(out)
        .stderr(error);
    for (host, guest) in &program.folders {
        let opened = wasi.preopened_dir(host, guest, FsPerms::ReadWrite);
        opened.map_err(|error| RunError::Folder {
            path: host.clone(),
            error: format!("{error:#}"),
        })?;
    }
    Ok(wasi)
}

/// What the end of a command means.
fn ended(ran: wasmtime::Result<()>) -> Result<Ended, RunError> {
    let Err(error) = ran else {
        return Ok(Ended::Exit(0));
    };
    match error.downcast_ref() {
        Some(I32Exit(code)) => Ok(Ended::Exit(*code)),
        None => Err(RunError::Trapped(weir_guest::told(&error))),
    }
}
