//! Small modules: their code, sessions with them, and what the screen shows of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod code;
mod screen;
mod sessions;

use std::sync::{Arc, LazyLock};

use weir_debug::{Plain, Play, Session};
use weir_guest::Engine;
use weir_guest::debug::{Code, Value};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::debugging().unwrap());

/// A recursive function, writes to memory, a call of the host and a trap.
const MODULE: &str = r#"(module
  (import "env" "tell" (func $tell (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (func $factorial (export "factorial") (param $n i64) (result i64)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (result i64) (i64.eqz (local.get $n))
      (then (i64.const 1))
      (else (i64.mul (local.get $n) (call $factorial (i64.sub (local.get $n) (i64.const 1)))))))
  (func $write (export "write") (param $at i32) (result i32)
    (i32.store (local.get $at) (i32.const 0x64636261))
    (i32.store8 offset=8 (local.get $at) (call $tell (i32.const 7)))
    (i32.load (local.get $at)))
  (func (export "trap") (param i32) (result i32)
    (local f64)
    (local.set 1 (f64.const 2.5))
    (i32.div_s (i32.const 10) (local.get 0))))"#;

/// A call of an export of [`MODULE`] that is about to stop at its first instruction.
fn session(export: &str, arguments: &[Value]) -> Session {
    let wasm = wat::parse_str(MODULE).unwrap();
    let play = Plain::new(&ENGINE, &wasm, (export, arguments.to_vec())).unwrap();
    let play: Arc<dyn Play> = Arc::new(play);
    let mut session = Session::new(play, Arc::new(Code::read(wasm).unwrap()));
    session.wait();
    session
}
