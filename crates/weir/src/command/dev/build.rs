//! Commands of the user: builds and tests, which can be stopped with all that they have started.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::watch;
use weir_model::Build;

use crate::signals::Phase;

/// Between two looks at a command that runs.
const LOOK: Duration = Duration::from_millis(20);
/// How long a command has to end after it was asked to.
const MERCY: Duration = Duration::from_secs(2);

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With 0.
    Well,
    /// Otherwise: in words.
    Badly(String),
    /// It was stopped, because `weir dev` was.
    Stopped,
}

/// Runs a build in its folder. What it writes is seen as it comes.
pub(super) fn run(build: &Build, phase: &watch::Receiver<Phase>) -> io::Result<Ended> {
    let folder = if build.folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        &build.folder
    };
    let mut command = shell(&build.command)?;
    command.current_dir(folder);
    finish(command.spawn()?, phase)
}

/// Runs a command of the user's with more variables.
pub(super) fn run_command(
    text: &str,
    variables: Vec<(String, String)>,
    phase: &watch::Receiver<Phase>,
) -> io::Result<Ended> {
    let mut command = shell(text)?;
    command.envs(variables);
    finish(command.spawn()?, phase)
}

fn shell(text: &str) -> io::Result<Command> {
    let mut command = Command::new("sh");
    command
        .args(["-c", text])
        .stdin(Stdio::null())
        .stdout(super::standard_error()?)
        // Of its own group, so that it can be ended with its children.
        .process_group(0);
    Ok(command)
}

fn finish(mut child: Child, phase: &watch::Receiver<Phase>) -> io::Result<Ended> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(told(status));
        }
        if *phase.borrow() == Phase::Draining {
            end(&mut child)?;
            return Ok(Ended::Stopped);
        }
        thread::sleep(LOOK);
    }
}

fn told(status: ExitStatus) -> Ended {
    match status.code() {
        Some(0) => Ended::Well,
        Some(127) => {
            Ended::Badly("did not find a program: is the toolchain of the README there?".to_owned())
        }
        Some(code) => Ended::Badly(format!("ended with {code}")),
        None => Ended::Badly(format!("was ended: {status}")),
    }
}

/// Asks the group to end, then makes it.
fn end(child: &mut Child) -> io::Result<()> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let send = |signal| {
        if let Some(group) = group {
            // It may be over already.
            let _ = kill_process_group(group, signal);
        }
    };
    send(Signal::TERM);
    let begun = Instant::now();
    while begun.elapsed() < MERCY {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
    send(Signal::KILL);
    child.wait().map(drop)
}
