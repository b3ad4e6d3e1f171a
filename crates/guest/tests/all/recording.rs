//! Real guests: all they learn comes through the door, so a recording replays.

use bytes::Bytes;
use weir_guest::door::BufferKind;
use weir_guest::door::{Event, LogLevel, MapKind, Reply, Stop};
use weir_testkit::run::{Difference, record};
use weir_testkit::tape::Outcome;
use weir_testkit::{Line, Script, Tape, program, replay, start};

const HELLO: &[u8] = include_bytes!("../../../../guests/prebuilt/hello.wasm");
const PROBE: &[u8] = include_bytes!("../../../../guests/prebuilt/probe.wasm");

const GREETING: &str = r#"{ "greeting": "Good day" }"#;

/// A script for the probe that uses everything a system gives.
const SYSTEM: &str = r#"{
    "configure": [
        { "log": "clock {clock}, random {random}, HOME {env:HOME}, PATH {env:PATH}" },
        { "print": "printed" }, { "print_error": "printed error" }
    ],
    "request_headers": [
        { "set": ["request", "x-time", "{time}"] },
        { "count": "visits" }, { "set": ["request", "x-count", "{counted}"] },
        { "if": { "value": "{coin}", "is": "heads", "then": ["pause"] } }
    ]
}"#;

/// The events of one exchange, from the start of the VM.
fn exchange(configuration: &str) -> Vec<Event> {
    let size = u32::try_from(configuration.len()).expect("short");
    vec![
        Event::ContextCreate {
            context: 1,
            parent: 0,
        },
        Event::VmStart { root: 1, size: 0 },
        Event::Configure { root: 1, size },
        Event::ContextCreate {
            context: 2,
            parent: 1,
        },
        Event::RequestHeaders {
            context: 2,
            count: 1,
            end: true,
        },
        Event::ResponseHeaders {
            context: 2,
            count: 1,
            end: true,
        },
        Event::Done { context: 2 },
        Event::Log { context: 2 },
        Event::Delete { context: 2 },
    ]
}

fn world(configuration: &str) -> Script {
    Script::new()
        .headers(MapKind::RequestHeaders, &[(":path", "/")])
        .headers(MapKind::ResponseHeaders, &[(":status", "200")])
        .buffer(BufferKind::PluginConfiguration, configuration)
        .environment("HOME", "/nowhere")
        .ticking(1_000_000_007)
}

fn recorded(module: &[u8], configuration: &str) -> Tape {
    record(
        &program(module),
        world(configuration),
        &exchange(configuration),
    )
    .expect("it starts")
}

/// Everything a system gives is asked of the world and shows what the world said: were there
/// another clock or another random source, the words would differ.
#[test]
fn the_system_of_a_real_guest_goes_through_the_door() {
    let mut vm = start(&program(PROBE), world(SYSTEM)).expect("a guest");
    for event in exchange(SYSTEM) {
        vm.deliver(&event, weir_testkit::run::CALL)
            .expect("it runs");
    }
    let logs = vm.world().logs();
    let has = |level: LogLevel, text: &str| {
        logs.iter()
            .any(|(l, line)| *l == level && line.contains(text))
    };
    assert!(has(LogLevel::Info, "HOME /nowhere, PATH -"), "{logs:?}");
    assert!(
        has(LogLevel::Info, "printed") && has(LogLevel::Error, "printed error"),
        "{logs:?}"
    );
    let heard = &vm.world().heard;
    for call in [
        "Now(Wall)",
        "Random { length: 8 }",
        "Environment",
        "Log Error \"printed error\"",
    ] {
        assert!(
            heard.iter().any(|line| line == call),
            "{call} is not among {heard:?}"
        );
    }
}

#[test]
fn the_clock_of_a_real_guest_is_the_worlds() {
    let script = r#"{ "configure": [{ "log": "{clock} {time}" }] }"#;
    let say = |nanos: u64| {
        let mut world = world(script).ticking(0);
        world.set_clock(nanos);
        let mut vm = start(&program(PROBE), world).expect("a guest");
        for event in &exchange(script)[..3] {
            vm.deliver(event, weir_testkit::run::CALL).expect("it runs");
        }
        vm.world().logs()
    };
    assert_eq!(say(1_000), say(1_000));
    assert_ne!(say(1_000), say(5_000_000_000_000));
}

fn check_replay(module: &[u8], configuration: &str) {
    let tape = recorded(module, configuration);
    assert!(
        tape.lines
            .iter()
            .any(|line| matches!(line, Line::Call { .. })),
        "{tape}"
    );
    let read: Tape = tape.to_string().parse().expect("its own text");
    assert_eq!(read, tape);
    replay(&program(module), &read).expect("the same");
}

#[test]
fn recordings_of_real_guests_replay_from_their_text() {
    check_replay(HELLO, "");
    check_replay(HELLO, GREETING);
    check_replay(PROBE, SYSTEM);
}

#[test]
fn a_failure_is_on_the_tape_and_replays() {
    let script = r#"{ "request_headers": [{ "panic": "as asked" }] }"#;
    let tape = recorded(PROBE, script);
    assert!(
        tape.lines
            .iter()
            .any(|line| matches!(line, Line::Result(Err(_)))),
        "{tape}"
    );
    check_replay(PROBE, script);
}

/// The index, among all calls of the tape, of the first one that begins with `text`.
fn call_index(tape: &Tape, text: &str) -> usize {
    let mut calls = tape.lines.iter().filter_map(|line| match line {
        Line::Call { call, .. } => Some(call),
        Line::Event(_) | Line::Result(_) => None,
    });
    calls
        .position(|call| call.starts_with(text))
        .expect("such a call")
}

#[test]
fn another_configuration_differs_where_it_is_used() {
    let mut tape = recorded(HELLO, GREETING);
    let at = call_index(
        &tape,
        "ReplaceHeader ResponseHeaders \"x-greeting\" \"Good day\"",
    );
    let other = Bytes::from(GREETING.replace("Good day", "Good bye"));
    for line in &mut tape.lines {
        if let Line::Call { call, outcome } = line
            && call.starts_with("Buffer { kind: PluginConfiguration")
        {
            *outcome = Outcome::Reply(Reply::Bytes(other.clone()));
        }
    }
    let Err(Difference::Call(Stop::Diverged {
        call,
        expected,
        found,
    })) = replay(&program(HELLO), &tape)
    else {
        panic!("no difference");
    };
    assert_eq!(call, at);
    assert!(
        expected.ends_with("\"Good day\"") && found.ends_with("\"Good bye\""),
        "{found}"
    );
}

#[test]
fn another_guest_differs_at_its_first_other_call() {
    let tape = recorded(HELLO, "");
    let error = replay(&program(PROBE), &tape).expect_err("another guest");
    assert!(
        matches!(
            error,
            Difference::Call(Stop::Diverged { .. }) | Difference::Start(_)
        ),
        "{error}"
    );
}

/// A guest that asks less than recorded is found out when it returns, one that asks the same and
/// returns something else by its result.
#[test]
fn less_calls_and_other_results_differ() {
    use crate::common::{REQUEST_HEADERS, env, on_request};
    let guest = |calls: usize, result: i32| {
        let call = "(drop (call $proxy_done))".repeat(calls);
        program(on_request(
            &env(&["proxy_done"]),
            &format!("{call} (i32.const {result})"),
        ))
    };
    let tape = record(&guest(2, 0), Script::new(), &[REQUEST_HEADERS]).expect("it starts");
    replay(&guest(2, 0), &tape).expect("the same");
    let check = |calls: usize, result: i32, expected: &str| {
        let error = replay(&guest(calls, result), &tape)
            .expect_err("another guest")
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        1,
        0,
        "call 1 differs from the recording: expected Done, got no further call",
    );
    check(
        3,
        0,
        "call 2 differs from the recording: expected the end of this event, got Done",
    );
    check(2, 1, "expected Ok(0), got Ok(1)");
    let silent = program(crate::common::module("", ""));
    assert!(matches!(replay(&silent, &tape), Err(Difference::Deaf(_))));
}
