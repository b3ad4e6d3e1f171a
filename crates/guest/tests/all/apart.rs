//! Guests in processes of their own: the same door, and walls that hold.

mod thrift;

use std::time::{Duration, Instant};

use weir_guest::apart::wire::{self, Ending, FromPlugin};
use weir_guest::apart::{ApartVm, Launcher, PluginProcess, Refuge};
use weir_guest::door::{BufferKind, Call, Cause, Event, FailureKind, Frame, MapKind, Reply, Trace};
use weir_guest::{Program, Reset, StartError, Stop};
use weir_model::{GuestLimits, limits};
use weir_testkit::run::{CALL, record};
use weir_testkit::{Recorder, Script, program};

use crate::common::{
    REQUEST_HEADERS, callback, cause, env, module, on_request, procedure, stopped_by, wasi, words,
};

const LIMIT: Duration = Duration::from_millis(200);
const REFUGE: Refuge = Refuge {
    user: limits::APART_USER,
    vms: 1,
};
/// How long the system may take to end a process.
const END_TIME: Duration = Duration::from_secs(10);

fn launcher(arguments: &[&str]) -> Launcher {
    let program = env!("CARGO_BIN_EXE_weir-test-plugin");
    Launcher::new(program.into(), arguments.iter().map(Into::into).collect())
}

pub(crate) fn launch(program: &Program) -> PluginProcess {
    let process = launcher(&[]).launch(program, &GuestLimits::default(), REFUGE);
    process.expect("a process")
}

fn apart(text: &str) -> ApartVm<Script> {
    launch(&program(text))
        .start(Script::new())
        .expect("a guest")
}

fn status_of(id: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{id}/status")).ok()
}

/// Waits until no such process is there, not even as a zombie.
fn await_end(id: u32) {
    let began = Instant::now();
    while let Some(status) = status_of(id) {
        assert!(began.elapsed() < END_TIME, "{status}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn kill(id: u32) {
    let id = i32::try_from(id)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(id.expect("a process"), rustix::process::Signal::KILL)
        .expect("it is there");
}

// ---------------------------------------------------------------------------------- the same door

/// A module records the same tape here and there.
fn check_alike(text: &str, world: impl Fn() -> Script, events: &[Event]) {
    let program = program(text);
    let here = record(&program, world(), events).expect("it starts");
    let mut vm = launch(&program)
        .start(Recorder::new(world()))
        .expect("it starts");
    for event in events {
        // How it ended is on the tape.
        let _ = vm.deliver(event, CALL);
    }
    let there = vm.world().tape().to_string();
    assert_eq!(here.to_string(), there);
    assert!(!there.is_empty());
}

#[test]
fn headers_are_read_and_written_alike() {
    let text = on_request(
        &env(&[
            "proxy_get_header_map_value",
            "proxy_add_header_map_value",
            "proxy_replace_header_map_value",
            "proxy_remove_header_map_value",
            "proxy_get_header_map_pairs",
            "proxy_get_header_map_size",
        ]),
        r#"(i32.store (i32.const 0) (i32.const 0x62626161))
        (drop (call $proxy_get_header_map_value (i32.const 0) (i32.const 0) (i32.const 2)
            (i32.const 64) (i32.const 68)))
        (drop (call $proxy_add_header_map_value (i32.const 0) (i32.const 0) (i32.const 2)
            (i32.load (i32.const 64)) (i32.load (i32.const 68))))
        (drop (call $proxy_replace_header_map_value (i32.const 0) (i32.const 2) (i32.const 2)
            (i32.load (i32.const 64)) (i32.load (i32.const 68))))
        (drop (call $proxy_remove_header_map_value (i32.const 0) (i32.const 0) (i32.const 2)))
        (drop (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 64) (i32.const 68)))
        (call $proxy_get_header_map_size (i32.const 0) (i32.const 64))"#,
    );
    let world = || Script::new().headers(MapKind::RequestHeaders, &[("aa", "one"), ("bb", "two")]);
    check_alike(&text, world, &[REQUEST_HEADERS, REQUEST_HEADERS]);
}

#[test]
fn bodies_clocks_and_randomness_pass_alike() {
    let body = callback(
        "proxy_on_request_body",
        3,
        "(drop (call $proxy_get_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 100000)
            (i32.const 64) (i32.const 68)))
        (drop (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 1) (i32.const 3)
            (i32.load (i32.const 64)) (i32.load (i32.const 68))))
        (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 128)))
        (drop (call $random_get (i32.const 136) (i32.const 16)))
        (i32.load (i32.const 136))",
    );
    let imports = env(&["proxy_get_buffer_bytes", "proxy_set_buffer_bytes"])
        + &wasi(&["clock_time_get", "random_get"]);
    let world = || Script::new().buffer(BufferKind::RequestBody, vec![b'x'; 20_000]);
    let event = Event::RequestBody {
        context: 2,
        size: 20_000,
        end: true,
    };
    check_alike(&module(&imports, &body), world, &[event, event]);
}

#[test]
fn traps_are_told_alike() {
    check_alike(
        &on_request("", "unreachable"),
        Script::new,
        &[REQUEST_HEADERS, REQUEST_HEADERS],
    );
}

#[test]
fn what_is_withheld_is_withheld_alike() {
    let text = on_request(&env(&["proxy_done"]), "(call $proxy_done)");
    let world = || Script::new().withhold("proxy_done");
    check_alike(&text, world, &[REQUEST_HEADERS]);
}

#[test]
fn the_world_may_stop_the_guest() {
    let world = || Script::new().on(|call| (*call == Call::Done).then_some(Err(Stop::CannotWait)));
    let program = program(on_request(
        &env(&["proxy_done"]),
        "(drop (call $proxy_done)) (i32.const 0)",
    ));
    let mut vm = launch(&program).start(world()).expect("a guest");
    let result = vm.deliver(&REQUEST_HEADERS, CALL);
    assert!(stopped_by(&result) == Some(&Stop::CannotWait), "{result:?}");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Err(Cause::Gone.into()));
}

#[test]
fn a_missing_callback_has_its_default() {
    let mut vm = apart(&module("", ""));
    assert!(!vm.hears(&REQUEST_HEADERS));
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(0));
    assert_eq!(vm.deliver(&Event::Done { context: 1 }, CALL), Ok(1));
}

#[test]
fn a_large_value_passes_in_both_directions() {
    let text = on_request(
        &env(&["proxy_get_buffer_bytes", "proxy_set_buffer_bytes"]),
        "(drop (memory.grow (i32.const 400)))
        (drop (call $proxy_get_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 16000000)
            (i32.const 64) (i32.const 68)))
        (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.load (i32.const 64)) (i32.load (i32.const 68)))",
    );
    let bytes = vec![7; 10_000_000];
    let world = Script::new().buffer(BufferKind::RequestBody, &bytes);
    let mut vm = launch(&program(text)).start(world).expect("a guest");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(0));
    assert!(vm.memory_bytes() > 400 << 16);
    assert_eq!(vm.world().bytes(BufferKind::RequestBody).len(), 20_000_000);
}

#[test]
fn what_no_message_can_hold_is_refused() {
    let text = on_request(
        &env(&["proxy_get_buffer_bytes"]),
        "(call $proxy_get_buffer_bytes (i32.const 0) (i32.const 0) (i32.const -1)
            (i32.const 64) (i32.const 68))",
    );
    let bytes = vec![7; limits::APART_FRAME_BYTES_MAX];
    let world = Script::new().buffer(BufferKind::RequestBody, &bytes);
    let mut vm = launch(&program(text)).start(world).expect("a guest");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(10));
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(10));
}

/// Counts its requests, in memory.
const COUNTING: &str =
    "(i32.store (i32.const 4096) (i32.add (i32.load (i32.const 4096)) (i32.const 1)))
    (i32.load (i32.const 4096))";

#[test]
fn copies_begin_where_the_snapshot_was_taken() {
    let refuge = Refuge { vms: 8, ..REFUGE };
    let program = program(on_request("", COUNTING));
    let process = launcher(&[]).launch(&program, &GuestLimits::default(), refuge);
    let process = process.expect("a process");
    let mut root = process.start(Script::new()).expect("a guest");
    assert_eq!(root.deliver(&REQUEST_HEADERS, CALL), Ok(1));
    let snapshot = root.snapshot().expect("a snapshot");
    let mut one = snapshot.start(Script::new()).expect("a copy");
    let mut other = process
        .start_from(&snapshot, Script::new())
        .expect("a copy");
    for expected in [2, 3] {
        assert_eq!(one.deliver(&REQUEST_HEADERS, CALL), Ok(expected));
    }
    assert_eq!(other.deliver(&REQUEST_HEADERS, CALL), Ok(2));
    assert_eq!(one.reset(&snapshot), Reset::Done);
    assert_eq!(one.deliver(&REQUEST_HEADERS, CALL), Ok(2));
    let newer = root.snapshot().expect("a snapshot");
    drop(snapshot);
    assert_eq!(other.reset(&newer), Reset::Done);
    assert_eq!(other.deliver(&REQUEST_HEADERS, CALL), Ok(2));
    assert!(process.walls().iter().any(|report| {
        report.wall == weir_guest::apart::Wall::SystemCalls && report.missing.is_none()
    }));
}

#[test]
fn a_copy_that_fails_leaves_the_others_alone() {
    let refuge = Refuge { vms: 8, ..REFUGE };
    let traps = on_request(
        &env(&["proxy_done"]),
        "(if (i32.eqz (call $proxy_done)) (then unreachable)) (i32.const 5)",
    );
    let process = launcher(&[]).launch(&program(traps), &GuestLimits::default(), refuge);
    let process = process.expect("a process");
    let world = |reply: fn() -> Reply| {
        Script::new().on(move |call| (*call == Call::Done).then(|| Ok(reply().into())))
    };
    let fine = || world(|| Reply::Refused(weir_guest::Status::NotFound));
    let mut root = process.start(fine()).expect("a guest");
    let snapshot = root.snapshot().expect("a snapshot");
    let mut bad = snapshot.start(world(|| Reply::Done)).expect("a copy");
    let mut good = snapshot.start(fine()).expect("a copy");
    assert!(bad.deliver(&REQUEST_HEADERS, CALL).is_err());
    assert_eq!(bad.reset(&snapshot), Reset::Failed);
    assert_eq!(good.deliver(&REQUEST_HEADERS, CALL), Ok(5));
    assert_eq!(root.deliver(&REQUEST_HEADERS, CALL), Ok(5));
}

#[test]
fn a_snapshot_is_of_use_in_its_own_process_only() {
    let program = program(on_request("", COUNTING));
    let (one, other) = (launch(&program), launch(&program));
    let mut vm = other.start(Script::new()).expect("a guest");
    let snapshot = one.start(Script::new()).expect("a guest").snapshot();
    // One process has no descriptors for snapshots: whatever it says, the other takes none.
    if let Ok(snapshot) = snapshot {
        assert_eq!(vm.reset(&snapshot), Reset::OtherModule);
        assert!(other.start_from(&snapshot, Script::new()).is_err());
    }
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(1));
}

// ------------------------------------------------------------------------------- ends of a guest

#[test]
fn an_endless_loop_ends_itself_and_its_neighbour_goes_on() {
    let process = launch(&program(on_request(
        &env(&["proxy_done"]),
        "(if (i32.eqz (call $proxy_done)) (then (loop (br 0)))) (i32.const 5)",
    )));
    let spins = |is_spinning: bool| {
        Script::new().on(move |call| {
            let answer = if is_spinning {
                Reply::Done
            } else {
                Reply::Refused(weir_guest::Status::NotFound)
            };
            (*call == Call::Done).then_some(Ok(answer.into()))
        })
    };
    let mut endless = process.start(spins(true)).expect("a guest");
    let mut brief = process.start(spins(false)).expect("a guest");
    let began = Instant::now();
    let result = endless.deliver(&REQUEST_HEADERS, LIMIT);
    assert_eq!(
        cause(result),
        Some(Cause::Deadline(LIMIT)),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        endless.deliver(&REQUEST_HEADERS, LIMIT),
        Err(Cause::Gone.into())
    );
    assert_eq!(brief.deliver(&REQUEST_HEADERS, CALL), Ok(5));
    assert!(process.id().is_some());
}

#[test]
fn a_memory_bomb_gets_no_more_than_its_limit() {
    let text = on_request(
        "",
        "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (memory.size)",
    );
    let limits = GuestLimits {
        memory_bytes: 32 << 20,
        ..GuestLimits::default()
    };
    let process = launcher(&[]).launch(&program(text), &limits, REFUGE);
    let mut vm = process
        .expect("a process")
        .start(Script::new())
        .expect("a guest");
    let pages = vm.deliver(&REQUEST_HEADERS, CALL).expect("it goes on");
    assert!((496..=512).contains(&pages), "{pages}");
}

#[test]
fn a_start_function_that_fails_is_told() {
    let text = module("", &procedure("_start", "unreachable"));
    let Err(StartError::Start { export, failure }) = launch(&program(text)).start(Script::new())
    else {
        panic!("it started");
    };
    assert_eq!(export, "_start");
    assert!(failure.to_string().contains("unreachable"), "{failure}");
}

#[test]
fn a_killed_process_fails_all_its_guests_and_leaves_no_zombie() {
    let process = launch(&program(on_request("", "(i32.const 1)")));
    let mut one = process.start(Script::new()).expect("a guest");
    let mut other = process.start(Script::new()).expect("a guest");
    assert_eq!(one.deliver(&REQUEST_HEADERS, CALL), Ok(1));
    let id = process.id().expect("it runs");
    kill(id);
    let result = one.deliver(&REQUEST_HEADERS, CALL);
    assert!(words(&result).contains("SIGKILL"), "{result:?}");
    assert!(other.has_failed());
    let result = other.deliver(&REQUEST_HEADERS, CALL);
    assert!(
        matches!(&result, Err(failure) if failure.kind() == FailureKind::Process),
        "{result:?}"
    );
    await_end(id);
    assert_eq!(process.id(), None);
    let Err(StartError::Process(why)) = process.start(Script::new()) else {
        panic!("a lost process starts no VM");
    };
    assert!(why.contains("SIGKILL"), "{why}");
}

#[test]
fn a_process_ends_with_its_last_guest_and_not_by_a_signal_for_the_gateway() {
    let process = launch(&program(on_request("", "(i32.const 1)")));
    let id = process.id().expect("it runs");
    let mut vm = process.start(Script::new()).expect("a guest");
    drop(process);
    let pid = i32::try_from(id)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        rustix::process::kill_process(pid.expect("a process"), signal).expect("it is there");
    }
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(1));
    drop(vm);
    await_end(id);
}

// --------------------------------------------------------------------------------------- the walls

#[test]
fn a_process_stands_behind_its_walls() {
    let process = launch(&program(on_request("", "(i32.const 1)")));
    let status = status_of(process.id().expect("it runs")).expect("it runs");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.expect("a field")
            .trim_start_matches(':')
            .trim()
            .to_owned()
    };
    assert_eq!(field("NoNewPrivs"), "1");
    for sets in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(field(sets).trim_matches('0'), "", "{sets}");
    }
    for report in &*process.walls() {
        let is_open = report.missing.is_some();
        match report.wall {
            weir_guest::apart::Wall::SystemCalls => {
                assert_eq!(field("Seccomp"), "2");
                assert!(!is_open);
            }
            weir_guest::apart::Wall::User if !is_open => {
                assert_eq!(field("Uid"), ["65534"; 4].join("\t"));
                assert_eq!(field("Groups"), "");
            }
            _ => {}
        }
    }
    assert_eq!(process.walls().len(), 6, "{:?}", process.walls());
}

/// What a process behind its walls gets when it tries something: a signal, or its own exit code.
fn through(hole: &str) -> (Option<i32>, Option<i32>, String) {
    use std::os::unix::process::ExitStatusExt as _;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_weir-test-plugin"))
        .args(["hole", hole])
        .output()
        .expect("it starts");
    let status = output.status;
    (
        status.signal(),
        status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// The system call is not allowed: the process is ended.
fn check_fatal(hole: &str) {
    let (signal, code, reports) = through(hole);
    assert_eq!(signal, Some(31), "SIGSYS for {hole}: {code:?} {reports}");
}

/// It is refused.
fn check_refused(hole: &str) {
    let (signal, code, reports) = through(hole);
    assert_eq!((signal, code), (None, Some(1)), "{hole}: {reports}");
}

#[test]
fn a_process_can_still_live_behind_its_walls() {
    assert_eq!(through("nothing").1, Some(0));
}

#[test]
fn no_file_can_be_opened() {
    check_refused("file");
    check_refused("written");
}

#[test]
fn no_socket_can_be_made() {
    check_fatal("socket");
    check_fatal("connection");
    check_fatal("pair");
}

#[test]
fn no_process_can_be_started_or_signalled() {
    check_fatal("process");
    check_fatal("thread");
    check_fatal("signal");
}

#[test]
fn memory_of_the_host_is_limited_too() {
    check_refused("memory");
}

#[test]
fn other_walls_stand_without_seccomp() {
    let (_, _, reports) = through("unsealed-nothing");
    if !reports.contains("Files") {
        check_refused("unsealed-file");
    }
    if !reports.contains("Namespaces") {
        check_refused("unsealed-connection");
    }
    check_refused("unsealed-written");
}

// ----------------------------------------------------------------------- processes taken over

/// A process that breaks the protocol when its VM is to start: what is said of it.
fn start_in_evil(how: &str, world: Script) -> (Result<ApartVm<Script>, StartError>, u32) {
    let program = program(on_request("", "(i32.const 1)"));
    let limits = GuestLimits {
        start: LIMIT,
        ..GuestLimits::default()
    };
    let process = launcher(&["evil", how]).launch(&program, &limits, REFUGE);
    let process = process.expect("it says that it is ready");
    let id = process.id().expect("it runs");
    (process.start(world), id)
}

fn check_evil_start(how: &str, expected: &str) {
    let (started, id) = start_in_evil(how, Script::new());
    match started {
        Err(StartError::Process(why)) => assert!(why.contains(expected), "{how}: {why}"),
        Err(other) => panic!("{how}: {other}"),
        Ok(_) => panic!("{how}: it started"),
    }
    await_end(id);
}

#[test]
fn a_process_that_breaks_the_protocol_is_ended() {
    check_evil_start("garbage", "no such message");
    check_evil_start("long", "longer than any");
    check_evil_start("other", "answer to something else");
    check_evil_start("stopped", "was not");
    check_evil_start("gone", "exit status: 3");
}

#[test]
fn a_process_asks_nothing_that_an_honest_one_could_not() {
    check_evil_start("early", "too early");
    check_evil_start("random", "too many random bytes");
    check_evil_start("spoofs", "no host has");
}

#[test]
fn a_process_that_is_silent_is_ended() {
    let began = Instant::now();
    check_evil_start("silent", "did not answer in time");
    check_evil_start("claims", "did not answer in time");
    assert!(began.elapsed() < 20 * (limits::APART_GRACE + 2 * LIMIT));
}

#[test]
fn a_process_that_never_ends_its_answer_is_ended() {
    let (started, id) = start_in_evil("chatters", Script::new());
    let mut vm = started.expect("it says that it started");
    let result = vm.deliver(&REQUEST_HEADERS, LIMIT);
    assert_eq!(cause(result), Some(Cause::Deadline(LIMIT)));
    assert!(!vm.world().logs().is_empty());
    await_end(id);
}

#[test]
fn a_call_that_was_withheld_ends_the_process_and_does_not_reach_the_world() {
    let world = Script::new()
        .withhold("proxy_http_call")
        .on(|call| matches!(call, Call::HttpCall(_)).then(|| panic!("it reached the world")));
    let (started, id) = start_in_evil("withheld", world);
    let result = started.expect("it says so").deliver(&REQUEST_HEADERS, CALL);
    assert!(words(&result).contains("not given"), "{result:?}");
    await_end(id);
}

#[test]
fn a_program_that_is_not_there_is_told() {
    let launcher = Launcher::new("/nonexistent/program".into(), Vec::new());
    let program = program(on_request("", "(i32.const 1)"));
    let result = launcher.launch(&program, &GuestLimits::default(), REFUGE);
    assert!(matches!(result, Err(StartError::Process(_))));
}

#[test]
fn damaged_messages_are_read_exactly_or_not_at_all() {
    let call = |call| FromPlugin::Call(call);
    let failed = FromPlugin::Failed {
        ending: Ending::Trap("unreachable"),
        trace: Trace {
            frames: vec![Frame {
                function: Some("f".to_owned()),
                index: 3,
                offset: None,
                source: None,
            }],
        },
    };
    let map = MapKind::RequestHeaders;
    let messages = [
        call(Call::LogLevel),
        call(Call::Header {
            map,
            name: b"accept",
        }),
        call(Call::SetHeaders {
            map,
            pairs: &[1; 40],
        }),
        FromPlugin::Started {
            hears: 7,
            memory_bytes: 1 << 16,
        },
        failed,
    ];
    let (mut state, mut refused, mut read) = (1u64, 0, 0);
    let mut chance = |below: usize| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("a small number")
    };
    for round in 0..20_000 {
        let mut bytes = Vec::new();
        wire::encode(&messages[round % messages.len()], &mut bytes);
        for _ in 0..=chance(3) {
            let place = chance(bytes.len());
            bytes[place] = u8::try_from(chance(256)).expect("a byte");
        }
        bytes.truncate(1 + chance(2 * bytes.len()));
        match wire::decode::<FromPlugin<'_>>(&bytes) {
            Ok(message) => {
                let mut again = Vec::new();
                wire::encode(&message, &mut again);
                assert_eq!(again, bytes, "{message:?}");
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        read > 1_000 && refused > 1_000,
        "{read} read, {refused} refused"
    );
}
