//! Where sessions stop, and what they see there.

use std::sync::Arc;

use weir_debug::listing::Symbols;
use weir_debug::run::{Until, Watch};
use weir_debug::session::Now;
use weir_debug::{Ended, Session, Stop, trace};
use weir_guest::debug::{Code, Value, Why};

use super::{MODULE, session};

fn symbols() -> Symbols<'static> {
    let code = Code::read(wat::parse_str(MODULE).unwrap()).unwrap();
    Symbols::new(Arc::new(code), None)
}

/// Where a session stands: calls, instruction, operands.
fn place(session: &mut Session) -> String {
    session.wait();
    let stop = session.stop().expect("it stands still");
    let (listing, at) = symbols().instruction(stop.frames[0].place).unwrap();
    let stack: Vec<_> = stop.frames[0].stack.iter().map(trace::typed).collect();
    let text = &listing.instructions[at].text;
    format!("{} {text} [{}]", stop.depth, stack.join(" "))
}

fn stop(session: &mut Session) -> Arc<Stop> {
    session.wait();
    Arc::clone(session.stop().expect("it stands still"))
}

fn ended(session: &mut Session) -> (Ended, u64) {
    match session.wait() {
        Now::Ended(ended, instructions) => (ended.clone(), *instructions),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_instruction_shows_its_operands() {
    let mut session = session("factorial", &[Value::I64(1)]);
    let expected = [
        "1 global.get $calls []",
        "1 i32.const 1 [i32:0]",
        "1 i32.add [i32:0 i32:1]",
        "1 global.set $calls [i32:1]",
        "1 local.get $n []",
        "1 i64.eqz [i64:1]",
        "1 if (result i64) [i32:0]",
        "1 local.get $n []",
        "1 local.get $n [i64:1]",
        "1 i64.const 1 [i64:1 i64:1]",
        "1 i64.sub [i64:1 i64:1 i64:1]",
        "1 call $factorial [i64:1 i64:0]",
        "2 global.get $calls []",
    ];
    for expected in expected {
        assert_eq!(place(&mut session), expected);
        session.step();
    }
    assert_eq!(stop(&mut session).globals, [Value::I32(1)]);
    session.go(Until::End);
    assert_eq!(ended(&mut session).0, Ended::Returned(vec![Value::I64(1)]));
}

/// While a call runs its arguments are its own, and the caller keeps what lies below them.
#[test]
fn a_caller_keeps_what_lies_below_the_arguments() {
    let mut session = session("factorial", &[Value::I64(2)]);
    session.jump(12);
    let stop = stop(&mut session);
    assert_eq!(stop.frames[1].stack, [Value::I64(2)]);
    assert_eq!(stop.frames[1].locals, [Value::I64(2)]);
    assert_eq!(stop.frames[0].locals, [Value::I64(1)]);
}

#[test]
fn over_and_out_pass_calls() {
    let mut session = session("factorial", &[Value::I64(3)]);
    session.jump(11);
    assert_eq!(place(&mut session), "1 call $factorial [i64:3 i64:2]");
    session.over();
    assert_eq!(place(&mut session), "1 i64.mul [i64:3 i64:2]");
    session.jump(30);
    assert_eq!(stop(&mut session).depth, 3);
    session.out();
    assert_eq!(stop(&mut session).depth, 2);
}

#[test]
fn backwards_is_where_one_was() {
    let mut session = session("factorial", &[Value::I64(2)]);
    let mut seen = Vec::new();
    while let Now::Stopped(stop) = session.wait() {
        seen.push(Arc::clone(stop));
        session.step();
    }
    let (_, instructions) = ended(&mut session);
    assert_eq!(instructions, seen.len() as u64);
    for expected in seen.iter().rev() {
        session.back();
        let stop = stop(&mut session);
        assert_eq!(
            (stop.number, &stop.frames),
            (expected.number, &expected.frames)
        );
        assert_eq!(stop.globals, expected.globals);
        assert_eq!(stop.changes, expected.changes);
    }
    session.back();
    assert_eq!(stop(&mut session).number, 0);
}

#[test]
fn changes_of_memory_are_told_once() {
    let mut session = session("write", &[Value::I32(16)]);
    session.jump(2);
    assert_eq!(place(&mut session), "1 i32.store [i32:16 i32:1684234849]");
    assert!(stop(&mut session).changes.list.is_empty());
    session.step();
    let change = stop(&mut session).changes.list[0].clone();
    assert_eq!((change.address, change.length), (16, 4));
    assert_eq!(
        (&*change.before, &*change.after),
        (&[0; 4][..], &b"abcd"[..])
    );
    assert_eq!(session.memory(0, 15..21), b"\0abcd\0");
    session.step();
    assert!(stop(&mut session).changes.list.is_empty());
}

#[test]
fn breakpoints_stop_it() {
    let code = Code::read(wat::parse_str(MODULE).unwrap()).unwrap();
    let mut session = session("factorial", &[Value::I64(3)]);
    let first = code.find("factorial").unwrap().instructions.start;
    session.breaks.at.insert(first);
    for depth in 2..=4 {
        session.go(Until::End);
        assert_eq!(stop(&mut session).depth, depth);
    }
    session.go(Until::End);
    assert_eq!(ended(&mut session).0, Ended::Returned(vec![Value::I64(6)]));
}

#[test]
fn watched_bytes_stop_it() {
    let mut session = session("write", &[Value::I32(16)]);
    session.breaks.watched.push(Watch {
        memory: 0,
        range: 18..19,
    });
    session.go(Until::End);
    assert_eq!(place(&mut session), "1 local.get $at []");
    assert_eq!(stop(&mut session).number, 3);
    session.go(Until::End);
    assert!(matches!(ended(&mut session).0, Ended::Returned(_)));
}

#[test]
fn calls_of_the_host_are_told_and_stop_it() {
    let mut session = session("write", &[Value::I32(16)]);
    session.breaks.host_calls = true;
    session.go(Until::End);
    let stopped = stop(&mut session);
    assert_eq!(stopped.host_calls.len(), 1);
    assert_eq!(stopped.host_calls[0].function, "env.tell(7)");
    assert_eq!(place(&mut session), "1 i32.store8 offset=8 [i32:16 i32:0]");
}

#[test]
fn a_trap_is_seen_where_it_happens() {
    let mut session = session("trap", &[Value::I32(0)]);
    session.go(Until::End);
    let stopped = stop(&mut session);
    assert_eq!(stopped.why, Why::Trap("integer divide by zero".to_owned()));
    assert_eq!(
        stopped.frames[0].locals,
        [Value::I32(0), Value::F64(2.5_f64.to_bits())]
    );
    assert_eq!(place(&mut session), "1 i32.div_s [i32:10 i32:0]");
    session.back();
    assert_eq!(place(&mut session), "1 i32.div_s [i32:10 i32:0]");
    session.step();
    assert_ne!(stop(&mut session).why, Why::Instruction);
    session.step();
    assert!(matches!(ended(&mut session).0, Ended::Trapped(_)));
    session.back();
    assert_eq!(place(&mut session), "1 i32.div_s [i32:10 i32:0]");
}

#[test]
fn a_run_without_end_can_be_left() {
    let wasm = wat::parse_str(r#"(module (func (export "f") (loop br 0)))"#).unwrap();
    let play = weir_debug::Plain::new(&super::ENGINE, &wasm, ("f", Vec::new())).unwrap();
    let mut session = Session::new(Arc::new(play), Arc::new(Code::read(wasm).unwrap()));
    session.wait();
    session.go(Until::End);
    assert!(matches!(session.poll(), Now::Running));
    session.pause();
    assert!(stop(&mut session).number > 0);
    session.go(Until::End);
    // It ends with its session.
}

#[test]
fn a_start_function_is_stepped_through() {
    let text = r#"(module (global (mut i32) (i32.const 0)) (func $first (global.set 0 (i32.const 5)))
        (start $first) (func (export "f") (result i32) global.get 0))"#;
    let wasm = wat::parse_str(text).unwrap();
    let play = weir_debug::Plain::new(&super::ENGINE, &wasm, ("f", Vec::new())).unwrap();
    let code = Arc::new(Code::read(wasm).unwrap());
    let mut session = Session::new(Arc::new(play), Arc::clone(&code));
    let first = stop(&mut session).frames[0].place;
    assert_eq!(first.offset, code.functions()[0].instructions.start);
    session.go(Until::End);
    assert_eq!(ended(&mut session).0, Ended::Returned(vec![Value::I32(5)]));
}
