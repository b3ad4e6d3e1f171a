//! `weir run`: a module by hand, with what the command line gives it.

mod fetch;
mod local;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use tokio::task::LocalSet;
use weir_functions::Stream;
use weir_functions::run::{Ended, Invoke, Program, RunError, Terminals, Written};

use crate::cli::{Output, Run};
use crate::failure::{Failure, Outcome};
use crate::logging;
use crate::terminal::Terminal;
use local::Local;

/// Runs the module to its end; its exit code is ours.
pub(super) fn run(
    arguments: Run,
    output: &Output,
    terminal: &mut Terminal<'_>,
) -> Result<Outcome, Failure> {
    let has_colour = terminal.has_colour_on_stderr();
    logging::install(&output.log, output.log_format, has_colour).map_err(Failure::Logging)?;
    let path = arguments.module.clone();
    let module =
        weir_proxy::gateway::read_module(&path).map_err(|error| Failure::read(&path, error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let local = Local::new(&arguments).map_err(Failure::Said)?;
    let program = program(arguments);
    let (written, received) = mpsc::channel(1);
    let running = weir_functions::run::run(&module, &program, Box::new(local), written);
    let ended = LocalSet::new().block_on(&runtime, printed(running, received, terminal));
    // What reads standard input for the guest may wait for ever.
    runtime.shutdown_background();
    let trapped = match ended? {
        Ok(Ended::Exit(code)) => return Ok(outcome(code)),
        Ok(Ended::Answered(results)) => {
            for result in results {
                terminal.print(&format!("{result}\n"))?;
            }
            return Ok(Outcome::Fine);
        }
        Ok(Ended::Told(bytes)) => {
            terminal.print_bytes(&bytes)?;
            return Ok(Outcome::Fine);
        }
        Ok(Ended::Refused(bytes)) => {
            terminal.remark_bytes(&bytes);
            return Ok(Outcome::Problem);
        }
        Err(error @ RunError::Trapped(_)) => Failure::Ran { path, error },
        Err(error) => return Err(Failure::Ran { path, error }),
    };
    terminal.failure(&trapped);
    Ok(Outcome::Guest(ABORTED))
}

/// What shells say of a process that aborts (128 and SIGABRT): a guest that traps does.
const ABORTED: u8 = 134;

/// An exit code as the system has them.
fn outcome(code: i32) -> Outcome {
    match u8::try_from(code) {
        Ok(0) => Outcome::Fine,
        Ok(code) => Outcome::Guest(code),
        Err(_) => Outcome::Problem,
    }
}

fn program(arguments: Run) -> Program {
    let name = arguments.module.file_name().unwrap_or_default();
    Program {
        name: name.to_string_lossy().into_owned(),
        environment: arguments.env,
        folders: arguments.dir,
        invoke: arguments.invoke.map(|export| Invoke {
            export,
            starts: arguments.start,
            is_text: arguments.text,
        }),
        arguments: arguments.arguments,
        terminals: Terminals {
            out: std::io::stdout().is_terminal(),
            error: std::io::stderr().is_terminal(),
        },
    }
}

/// Prints what the guest writes, as it comes, until the guest has ended.
async fn printed<T>(
    running: impl Future<Output = T>,
    mut received: mpsc::Receiver<Written>,
    terminal: &mut Terminal<'_>,
) -> Result<T, Failure> {
    tokio::pin!(running);
    loop {
        tokio::select! {
            biased;
            Some((stream, bytes)) = received.recv() => print(terminal, stream, &bytes)?,
            ended = &mut running => {
                // The guest waited until all but the last piece had been printed.
                while let Ok((stream, bytes)) = received.try_recv() {
                    print(terminal, stream, &bytes)?;
                }
                return Ok(ended);
            }
        }
    }
}

fn print(terminal: &mut Terminal<'_>, stream: Stream, bytes: &[u8]) -> Result<(), Failure> {
    match stream {
        Stream::Out => {
            terminal.print_bytes(bytes)?;
            terminal.flush()
        }
        Stream::Error | Stream::Log(_) => {
            terminal.remark_bytes(bytes);
            Ok(())
        }
    }
}

/// `NAME=VALUE`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// `HOST` or `HOST:PORT`.
pub(crate) fn allowed(text: &str) -> Result<String, String> {
    let authority: Option<http::uri::Authority> = text.parse().ok();
    let is_host = authority.is_some_and(|authority| {
        let written = [authority.host(), ":"].concat();
        let has_port = authority.port_u16().is_some_and(|port| port > 0);
        authority.as_str() == authority.host()
            || has_port && authority.as_str().starts_with(&written)
    });
    if is_host {
        return Ok(text.to_owned());
    }
    Err("expected a host, or a host and a port, such as localhost:8080".to_owned())
}

/// `HOST` or `HOST::GUEST`.
pub(crate) fn folder(text: &str) -> Result<(PathBuf, String), String> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    if host.is_empty() || guest.is_empty() {
        return Err("expected a folder, or FOLDER::NAME".to_owned());
    }
    Ok((Path::new(host).to_owned(), guest.to_owned()))
}
