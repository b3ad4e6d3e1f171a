//! Whatever module is loaded as a plugin, valid or not, and whatever it does: the host refuses it,
//! ends it or lets it go on. It never panics, never hangs and never grows.
//!
//! The first byte tells what the rest is: the bytes of a module, or what wasm-smith makes a module of
//! that has the imports and exports of a plugin, and what its world answers.
#![no_main]

#[path = "modules/shape.rs"]
mod shape;
#[path = "modules/watch.rs"]
mod watch;
#[path = "modules/whim.rs"]
mod whim;

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use weir_guest::{Engine, Host, Program, ProgramOptions};
use weir_model::{Dialect, GuestLimits, Strictness};

use whim::Whim;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().expect("an engine"));

/// Small enough for many runs a second.
fn limits() -> GuestLimits {
    GuestLimits {
        memory_bytes: 8 << 20,
        table_elements: 10_000,
        call: Duration::from_millis(10),
        start: Duration::from_millis(20),
        host_calls: 2_000,
        ..GuestLimits::default()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, rest)) = bytes.split_first() else {
        return;
    };
    let _watched = watch::run();
    if kind & 1 == 0 {
        play(rest, kind, Whim::new(rest));
        return;
    }
    let mut input = Unstructured::new(rest);
    let Ok(module) = shape::plugin(&mut input) else {
        return;
    };
    let whims = input.take_rest();
    play(&module, kind, Whim::new(whims));
});

/// Loads a module, starts it and lets it hear all that there is to be heard.
fn play(module: &[u8], kind: u8, mut whim: Whim) {
    let options = ProgramOptions {
        strictness: if kind & 2 == 0 { Strictness::Tolerant } else { Strictness::Strict },
        dialect: match kind & 12 {
            4 => Dialect::Envoy,
            8 => Dialect::Higress,
            _ => Dialect::Auto,
        },
    };
    let program = match Program::compile(&ENGINE, module, options) {
        Ok(program) => program,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let limits = limits();
    let host = Host::new(&ENGINE).expect("the host's functions");
    let events = whim.events();
    match host.start(&program, whim, &limits) {
        Ok(mut vm) => {
            for event in events {
                // A failure is an answer, too; after it nothing is entered any more.
                let outcome = vm.deliver(&event, limits.call);
                assert!(outcome.is_ok() || vm.has_failed());
                assert!(vm.memory_bytes() <= limits.memory_bytes);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
