//! `weir dev`: builds modules, serves them, and does both again when a source changes.
//!
//! Each gateway is one of this process: it takes over the sockets of the one before, which then
//! drains. Invariant: what fails is told, and changes nothing of what serves.

mod build;
mod lines;
mod serving;
mod sources;

use std::io;
use std::thread;
use std::time::Instant;

use tokio::sync::watch;
use weir_control::Problems;
use weir_model::limits::dev as limits;
use weir_model::{Build, Module, ModuleSource, Site};

use crate::cli::{Dev, Output};
use crate::failure::{Failure, Outcome};
use crate::signals::Phase;
use crate::terminal::{Terminal, Tone};
use crate::{logging, signals};

use build::Ended;
use serving::Serving;
use sources::{Snapshot, Watched};

/// The log without a word of the user's: what plugins say, and what is wrong.
const QUIET: &str = "warn,wasm=info";
/// Rounds in a row after which changes are the build's own, and not somebody's who types.
const RESTLESS_ROUNDS: u32 = 3;

/// Serves until it is asked to stop; with `--run`, until that command ends.
pub(super) fn run(
    arguments: Dev,
    output: &Output,
    terminal: &mut Terminal<'_>,
) -> Result<Outcome, Failure> {
    if let Err(error) = std::fs::metadata(&arguments.configuration) {
        return Err(Failure::read(&arguments.configuration, error));
    }
    let filter = match output.log.as_str() {
        "info" => QUIET,
        chosen => chosen,
    };
    let colour = terminal.has_colour_on_stderr();
    let log = logging::install(filter, output.log_format, colour).map_err(Failure::Logging)?;
    let phase = signals::listen().map_err(Failure::Signals)?;
    let session = Session {
        serving: Serving::new(arguments.configuration.clone(), log),
        arguments,
        phase,
        done: Vec::new(),
        terminal,
    };
    match session.arguments.run.clone() {
        Some(command) => session.run_once(&command),
        None => session.watch(),
    }
}

/// One run of `weir dev`.
struct Session<'a, 't> {
    arguments: Dev,
    phase: watch::Receiver<Phase>,
    serving: Serving,
    /// Builds that need not be repeated before a source changes.
    done: Vec<Build>,
    terminal: &'a mut Terminal<'t>,
}

impl Session<'_, '_> {
    fn watch(mut self) -> Result<Outcome, Failure> {
        let mut restless = 0;
        while !self.is_over() {
            // In this order: what changes after a look is seen by the next one.
            let configuration = Watched::file(&self.arguments.configuration);
            let mut seen = configuration.snapshot();
            let mut watched = configuration;
            if let Some(site) = self.told(weir_control::load_unbuilt) {
                watched = watched.and(&site);
                seen = seen.and(watched.snapshot());
                if seen.is_cut() {
                    self.bad("too many files to watch; name fewer under `watch` of the build");
                }
                self.round(&site)?;
            }
            restless = if watched.snapshot() == seen {
                0
            } else {
                restless + 1
            };
            if restless == RESTLESS_ROUNDS {
                self.restless(&watched, &mut seen);
            }
            let Some(now) = self.wait(&watched, &seen) else {
                break;
            };
            self.changed(&watched, &seen, &now);
        }
        self.serving.end();
        Ok(Outcome::Fine)
    }

    /// Builds what is not built, and serves it. What goes wrong is told.
    fn round(&mut self, site: &Site) -> Result<(), Failure> {
        if !self.build(site)? {
            return Ok(());
        }
        let Some(mut site) = self.told(weir_control::load) else {
            self.stays();
            return Ok(());
        };
        site.workers = self.arguments.workers.or(site.workers);
        let begun = Instant::now();
        match self.serving.start(site) {
            Ok(addresses) => {
                for address in addresses {
                    let ready = begun.elapsed().as_millis();
                    self.good("serve", &format!("{address} (ready after {ready} ms)"));
                }
            }
            Err(error) => {
                self.terminal.failure(&Failure::Gateway(error));
                self.stays();
            }
        }
        Ok(())
    }

    /// Builds, serves on free ports, and runs a command against that.
    fn run_once(mut self, command: &str) -> Result<Outcome, Failure> {
        let Some(site) = self.told(weir_control::load_unbuilt) else {
            return Err(Failure::Refused);
        };
        if !self.build(&site)? {
            return Ok(Outcome::Problem);
        }
        let Some(mut site) = self.told(weir_control::load) else {
            return Err(Failure::Refused);
        };
        site.workers = self.arguments.workers.or(site.workers);
        let addresses = self.serving.start_elsewhere(site)?;
        let ended = build::run_command(command, addresses.variables(), &self.phase);
        self.serving.end();
        let failed = |source| Failure::Command {
            command: command.to_owned(),
            source,
        };
        Ok(match ended.map_err(failed)? {
            Ended::Well => Outcome::Fine,
            Ended::Badly(_) | Ended::Stopped => Outcome::Problem,
        })
    }

    /// Runs the builds that are not done. Says whether all are now.
    fn build(&mut self, site: &Site) -> Result<bool, Failure> {
        for module in site.modules.values() {
            let Some(build) = &module.build else {
                continue;
            };
            let ModuleSource::File(file) = &module.source;
            if self.done.contains(build) && file.is_file() {
                continue;
            }
            if !self.build_one(module, build)? {
                return Ok(false);
            }
            self.done.push(build.clone());
        }
        Ok(true)
    }

    fn build_one(&mut self, module: &Module, build: &Build) -> Result<bool, Failure> {
        let name = &module.name;
        self.good("build", &format!("{name}: {}", build.command));
        let begun = Instant::now();
        let ended = build::run(build, &self.phase).map_err(|source| Failure::Command {
            command: build.command.clone(),
            source,
        });
        let seconds = begun.elapsed().as_secs_f32();
        match ended? {
            Ended::Well => self.good("built", &format!("{name} in {seconds:.1} s")),
            Ended::Stopped => return Ok(false),
            Ended::Badly(why) => {
                self.bad(&format!("the build of {name} {why}"));
                self.stays();
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The configuration, read in this way; what is wrong with it is told.
    fn told(
        &mut self,
        read: fn(&std::path::Path) -> Result<weir_control::Loaded, Problems>,
    ) -> Option<Site> {
        match read(&self.arguments.configuration) {
            Ok(loaded) => Some(loaded.site),
            Err(problems) => {
                self.terminal.remark(&format!("{problems}\n"));
                None
            }
        }
    }

    /// Waits for a change, and until it is over. `None`: it is time to stop.
    fn wait(&mut self, watched: &Watched, seen: &Snapshot) -> Option<Snapshot> {
        loop {
            if self.is_over() {
                return None;
            }
            if let Some(error) = self.serving.failed() {
                self.terminal.failure(&Failure::Gateway(error));
            }
            let mut now = watched.snapshot();
            if now != *seen {
                while !self.is_over() {
                    thread::sleep(limits::SETTLE_TIME);
                    let later = watched.snapshot();
                    if later == now {
                        return Some(now);
                    }
                    now = later;
                }
            }
            thread::sleep(limits::LOOK_INTERVAL);
        }
    }

    /// Forgets the builds that a change concerns.
    fn changed(&mut self, watched: &Watched, seen: &Snapshot, now: &Snapshot) {
        if let Some(path) = seen.first_difference(now) {
            self.good("change", &path.display().to_string());
        }
        for build in watched.builds_of(seen, now) {
            self.done.retain(|done| done != build);
        }
    }

    /// A build that writes what is watched would be repeated for ever.
    fn restless(&mut self, watched: &Watched, seen: &mut Snapshot) {
        let now = watched.snapshot();
        if let Some(path) = seen.first_difference(&now) {
            let path = path.display();
            self.bad(&format!(
                "{path} changes with each build: name what is to be watched under `watch`"
            ));
        }
        *seen = now;
    }

    fn is_over(&self) -> bool {
        *self.phase.borrow() == Phase::Draining
    }

    /// Says what a failure has left; a single run ends with it.
    fn stays(&mut self) {
        if self.arguments.run.is_some() {
            return;
        }
        let told = if self.serving.is_serving() {
            "what served before serves on"
        } else {
            "nothing serves; waiting for a change"
        };
        self.bad(told);
    }

    fn good(&mut self, first: &str, rest: &str) {
        self.terminal.note(Tone::Good, first, rest);
    }

    fn bad(&mut self, text: &str) {
        self.terminal.note(Tone::Bad, "dev:", text);
    }
}

/// Standard error, for what others write to standard output: that one is the access log's.
fn standard_error() -> io::Result<std::process::Stdio> {
    use std::os::fd::AsFd as _;
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}
