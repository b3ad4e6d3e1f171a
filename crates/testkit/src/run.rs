//! Compiles, starts and replays modules in one line each.

use std::sync::LazyLock;
use std::time::Duration;

use weir_guest::code::{Compiled, Source};
use weir_guest::door::{Event, Stop, World};
use weir_guest::{
    Engine, EngineKind, Host, LoadError, Pace, Program, ProgramOptions, StartError, Vm,
};
use weir_model::GuestLimits;

use crate::tape::{Line, Player, Recorder, Tape};

/// Limit of one call: long, because test machines are slow.
pub const CALL: Duration = Duration::from_secs(10);

/// The engine of all tests of a process.
///
/// # Panics
///
/// When WebAssembly cannot run on this machine.
#[must_use]
pub fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().expect("an engine"));
    &ENGINE
}

/// What all tests of a process run on, but for those that choose by themselves: what the variable
/// `WEIR_TEST_ENGINE` names, or optimised code.
///
/// # Panics
///
/// When the variable names no engine.
#[must_use]
pub fn engine_kind() -> EngineKind {
    static KIND: LazyLock<EngineKind> = LazyLock::new(|| {
        let named = std::env::var("WEIR_TEST_ENGINE");
        let kind = |name: &str| EngineKind::ALL.into_iter().find(|kind| kind.name() == name);
        named.map_or(EngineKind::Cranelift, |name| {
            kind(&name).unwrap_or_else(|| panic!("WEIR_TEST_ENGINE: there is no engine {name:?}"))
        })
    });
    *KIND
}

/// Compiles a module, binary or text, for the engine of all tests.
///
/// # Errors
///
/// As [`Program::compile`]; a text that is no module is corrupted.
pub fn load(module: &[u8], options: ProgramOptions) -> Result<Program, LoadError> {
    let binary =
        wat::parse_bytes(module).map_err(|error| LoadError::Corrupted(error.to_string()))?;
    load_for(engine_kind(), &binary, options)
}

/// Compiles a binary module for a kind of engine.
///
/// # Errors
///
/// As [`Program::compile`].
pub fn load_for(
    kind: EngineKind,
    binary: &[u8],
    options: ProgramOptions,
) -> Result<Program, LoadError> {
    let compiled = Compiled::make(&Source::new(binary.to_vec()), kind, Pace::Hurried)?;
    Program::new(&compiled.load(engine(), None)?, options)
}

/// Compiles a module that is known to be good.
///
/// # Panics
///
/// When it is not.
pub fn program(module: impl AsRef<[u8]>) -> Program {
    load(module.as_ref(), ProgramOptions::default()).expect("a module that loads")
}

/// Starts a program with the default limits.
///
/// # Errors
///
/// As [`Host::start`].
pub fn start<W: World>(program: &Program, world: W) -> Result<Vm<W>, StartError> {
    Host::new(engine())?.start(program, world, &GuestLimits::default())
}

/// Records a program through some events.
///
/// # Errors
///
/// When it does not start.
pub fn record<W: World>(program: &Program, world: W, events: &[Event]) -> Result<Tape, StartError> {
    let mut vm = start(program, Recorder::new(world))?;
    for event in events {
        // How it ended is on the tape.
        let _ = vm.deliver(event, CALL);
    }
    Ok(vm.world().tape().clone())
}

/// How a replay differs from its tape.
#[derive(Debug, thiserror::Error)]
pub enum Difference {
    /// The guest did not start.
    #[error("the guest did not start: {0}")]
    Start(#[from] StartError),
    /// It asked something else, or stopped asking.
    #[error(transparent)]
    Call(Stop),
    /// It has no callback any more for an event of the tape.
    #[error("{0:?}: the guest has no such callback")]
    Deaf(Event),
    /// It asked the same and returned something else.
    #[error("{event:?}: expected {expected:?}, got {found:?}")]
    Result {
        /// Which event.
        event: Event,
        /// What the tape holds.
        expected: Result<i32, String>,
        /// What the guest returned.
        found: Result<i32, String>,
    },
}

/// Runs a program against a tape.
///
/// # Errors
///
/// The first [`Difference`].
pub fn replay(program: &Program, tape: &Tape) -> Result<(), Difference> {
    let mut vm = start(program, Player::new(tape.clone()))?;
    let mut lines = tape.lines.iter();
    while let Some(line) = lines.next() {
        let Line::Event(event) = line else { continue };
        if !vm.hears(event) {
            return Err(Difference::Deaf(*event));
        }
        let found = vm
            .deliver(event, CALL)
            .map_err(|failure| failure.to_string());
        if let Some(stop) = vm.world().divergence() {
            return Err(Difference::Call(stop.clone()));
        }
        let result = lines.find_map(|line| match line {
            Line::Result(result) => Some(result),
            Line::Event(_) | Line::Call { .. } => None,
        });
        match result {
            Some(expected) if *expected != found => {
                let expected = expected.clone();
                return Err(Difference::Result {
                    event: *event,
                    expected,
                    found,
                });
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}
