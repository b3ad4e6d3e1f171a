//! Section 9.4: logging, time and WASI.

use weir_guest::door::{Answer, Call, Clock, LogLevel, Reply};
use weir_model::limits;
use weir_testkit::Script;

use crate::common::{ask, env, on_request, wasi};

fn check(imports: &str, body: &str, world: Script, expected: i32) -> Script {
    let (result, mut vm) = ask(&on_request(imports, body), world);
    assert_eq!(result, Ok(expected), "{body}");
    std::mem::take(vm.world())
}

fn logs(lines: &[(LogLevel, &str)]) -> Vec<(LogLevel, String)> {
    lines
        .iter()
        .map(|(level, line)| (*level, (*line).to_owned()))
        .collect()
}

#[test]
fn s55_log_levels_are_zero_to_five() {
    let log = |level: i32| {
        let call = format!("(call $proxy_log (i32.const {level}) (i32.const 0) (i32.const 1))");
        (env(&["proxy_log"]), call)
    };
    for (level, expected) in [
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 0),
        (4, 0),
        (5, 0),
        (6, 2),
        (-1, 2),
    ] {
        let (imports, call) = log(level);
        let world = check(&imports, &call, Script::new(), expected);
        assert_eq!(world.logs().len(), usize::from(expected == 0), "{level}");
    }
}

#[test]
fn s56_the_log_level_is_the_worlds() {
    let body = "(drop (call $proxy_get_log_level (i32.const 64))) (i32.load (i32.const 64))";
    for level in [0u8, 2, 6] {
        let world = Script::new().log_level(u64::from(level));
        check(
            &env(&["proxy_get_log_level"]),
            body,
            world,
            i32::from(level),
        );
    }
}

#[test]
fn s57_log_lines_may_hold_any_bytes() {
    let body = "(i32.store (i32.const 0) (i32.const 0x41ff0042))
                (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 4))";
    let world = check(&env(&["proxy_log"]), body, Script::new(), 0);
    assert_eq!(world.logs(), logs(&[(LogLevel::Info, "B\0\u{fffd}A")]));
}

#[test]
fn s58_s59_clocks_are_the_worlds() {
    let world = || {
        Script::new().on(|call| match call {
            Call::Now(Clock::Wall) => Some(Ok(Reply::Number(0x0102_0304_0506_0708).into())),
            Call::Now(Clock::Monotonic) => Some(Ok(Reply::Number(9).into())),
            _ => None,
        })
    };
    let wall = "(drop (call $proxy_get_current_time_nanoseconds (i32.const 65)))
                (i32.load (i32.const 69))";
    check(
        &env(&["proxy_get_current_time_nanoseconds"]),
        wall,
        world(),
        0x0102_0304,
    );
    let clock = |id: i32, place: i32| {
        format!(
            "(i32.or (call $clock_time_get (i32.const {id}) (i64.const 0) (i32.const 64))
                     (i32.load (i32.const {place})))"
        )
    };
    let imports = wasi(&["clock_time_get"]);
    check(&imports, &clock(0, 68), world(), 0x0102_0304);
    check(&imports, &clock(1, 64), world(), 9);
    check(&imports, &clock(2, 64), world(), 58);
    check(&imports, &clock(3, 64), world(), 58);
    let outside = clock(0, 64).replacen("i32.const 64", "i32.const 65530", 1);
    check(&imports, &outside, world(), 21);
}

/// Texts at 0 ("one\n") and 4 ("two\n"), and vectors over them at 32, 40 and 48 (empty).
const VECTORS: &str = "(i32.store (i32.const 0) (i32.const 0x0a656e6f))
     (i32.store (i32.const 4) (i32.const 0x0a6f7774))
     (i64.store (i32.const 32) (i64.const 0x400000000))
     (i64.store (i32.const 40) (i64.const 0x400000004))
     (i64.store (i32.const 48) (i64.const 0))";

fn check_write((fd, vectors, count): (i32, i32, i32), expected: i32, lines: &[(LogLevel, &str)]) {
    let body = format!(
        "{VECTORS} (call $fd_write (i32.const {fd}) (i32.const {vectors}) (i32.const {count})
                     (i32.const 64))
         (i32.mul (i32.load (i32.const 64)) (i32.const 100)) i32.add"
    );
    let world = check(&wasi(&["fd_write"]), &body, Script::new(), expected);
    assert_eq!(world.logs(), logs(lines), "{fd} {vectors} {count}");
}

#[test]
fn s60_s61_output_becomes_log_lines() {
    check_write((1, 32, 1), 400, &[(LogLevel::Info, "one")]);
    check_write((2, 40, 1), 400, &[(LogLevel::Error, "two")]);
    check_write((1, 32, 3), 800, &[(LogLevel::Info, "one\ntwo")]);
    check_write((3, 32, 1), 8, &[]);
    check_write((0, 32, 1), 8, &[]);
    check_write((1, 48, 1), 0, &[]);
    check_write((1, 32, 0), 0, &[]);
    check_write((1, 65532, 1), 21, &[]);
    check_write((1, -8, 2), 21, &[]);
    check_write((1, 32, 1024), 800, &[(LogLevel::Info, "one\ntwo")]);
    check_write((1, 32, 1025), 28, &[]);
    check_write((1, 32, -1), 28, &[]);
}

#[test]
fn s60_a_long_line_is_cut_but_counted() {
    let body = "(i64.store (i32.const 32) (i64.const 0x800000000000))
        (drop (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 64)))
        (i32.load (i32.const 64))";
    let world = check(&wasi(&["fd_write"]), body, Script::new(), 32768);
    assert_eq!(
        world.logs()[0].1.chars().count(),
        limits::GUEST_LOG_BYTES_MAX
    );
}

#[test]
fn s62_random_bytes_have_a_limit() {
    let random = |pointer: i32, length: i32| {
        format!("(call $random_get (i32.const {pointer}) (i32.const {length}))")
    };
    let imports = wasi(&["random_get"]);
    for (pointer, length, expected) in [
        (0, 65536, 0),
        (0, 65537, 28),
        (0, 0, 0),
        (0, -1, 28),
        (1, 65536, 21),
        (65530, 8, 21),
    ] {
        check(&imports, &random(pointer, length), Script::new(), expected);
    }
    let world = Script::new().on(|call| match call {
        Call::Random { length: 4 } => {
            Some(Ok(Answer::Ready(Reply::Bytes(vec![1, 2, 3, 4].into()))))
        }
        _ => None,
    });
    let body = format!("(drop {}) (i32.load (i32.const 8))", random(8, 4));
    check(&imports, &body, world, 0x0403_0201);
}

#[test]
fn s63_the_environment_is_what_was_granted() {
    let imports = wasi(&["environ_sizes_get", "environ_get"]);
    let world = || Script::new().environment("HOME", "/").environment("X", "");
    let sizes = "(drop (call $environ_sizes_get (i32.const 64) (i32.const 68)))
        (i32.add (i32.mul (i32.load (i32.const 64)) (i32.const 100)) (i32.load (i32.const 68)))";
    check(&imports, sizes, world(), 200 + 7 + 3);
    check(&imports, sizes, Script::new(), 0);
    // The first text begins at 256, the second 7 bytes later: "HOME=/\0X=\0".
    let texts = "(drop (call $environ_get (i32.const 64) (i32.const 256)))
        (i32.add (i32.sub (i32.load (i32.const 68)) (i32.load (i32.const 64)))
                 (i32.load8_u (i32.load (i32.const 68))))";
    check(&imports, texts, world(), 7 + i32::from(b'X'));
}

#[test]
fn s64_s65_s66_s67_there_is_nothing_else() {
    let imports = wasi(&[
        "args_sizes_get",
        "path_open",
        "fd_prestat_get",
        "poll_oneoff",
        "fd_fdstat_get",
        "fd_read",
        "fd_close",
        "fd_seek",
        "sock_shutdown",
        "fd_readdir",
        "fd_renumber",
        "fd_tell",
    ]);
    for (body, expected) in [
        (
            "(i64.store (i32.const 64) (i64.const -1))
          (drop (call $args_sizes_get (i32.const 64) (i32.const 68)))
          (i64.eqz (i64.load (i32.const 64)))",
            1,
        ),
        (
            "(call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
            (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 64))",
            44,
        ),
        ("(call $fd_prestat_get (i32.const 3) (i32.const 64))", 8),
        (
            "(i32.store (i32.const 64) (i32.const 5))
          (call $poll_oneoff (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 64))
          (i32.load (i32.const 64)) i32.or",
            0,
        ),
        (
            "(drop (call $fd_fdstat_get (i32.const 1) (i32.const 64)))
          (i32.wrap_i64 (i64.load (i32.const 72)))",
            64,
        ),
        ("(call $fd_fdstat_get (i32.const 3) (i32.const 64))", 8),
        (
            "(call $fd_read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
            52,
        ),
        ("(call $fd_close (i32.const 9))", 0),
        (
            "(call $fd_seek (i32.const 9) (i64.const 0) (i32.const 0) (i32.const 64))",
            0,
        ),
        ("(call $sock_shutdown (i32.const 9) (i32.const 0))", 58),
        (
            "(call $fd_readdir (i32.const 3) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 64))",
            20,
        ),
        ("(call $fd_renumber (i32.const 1) (i32.const 3))", 58),
        ("(call $fd_renumber (i32.const 4) (i32.const 3))", 8),
        ("(call $fd_tell (i32.const 2) (i32.const 64))", 0),
    ] {
        let world = check(&imports, body, Script::new(), expected);
        assert!(world.heard.is_empty(), "no question for the world: {body}");
    }
}

#[test]
fn s68_exit_only_logs() {
    let body = "(call $proc_exit (i32.const 3)) (i32.const 9)";
    let world = check(&wasi(&["proc_exit"]), body, Script::new(), 9);
    assert_eq!(world.logs().len(), 1);
    assert_eq!(world.logs()[0].0, LogLevel::Error);
}
