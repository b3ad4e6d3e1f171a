//! Section 9.2, statements 19 to 27: how a module starts.

use weir_guest::StartError;
use weir_guest::door::{Event, LogLevel};
use weir_testkit::run::CALL;
use weir_testkit::{Script, program, start};

use crate::common::{callback, env, module, procedure, wasi};

/// Instructions that log one letter.
fn say(letter: char) -> String {
    format!(
        "(i32.store8 (i32.const 16) (i32.const {}))
         (drop (call $proxy_log (i32.const 2) (i32.const 16) (i32.const 1)))",
        u32::from(letter)
    )
}

fn logs_of_start(body: &str) -> String {
    let mut vm =
        start(&program(module(&env(&["proxy_log"]), body)), Script::new()).expect("a guest");
    assert!(
        vm.world()
            .logs()
            .iter()
            .all(|(level, _)| *level == LogLevel::Info)
    );
    vm.world()
        .logs()
        .into_iter()
        .map(|(_, line)| line)
        .collect()
}

#[test]
fn s19_s20_s21_s23_start_functions_run_once_in_their_order() {
    let initialize = procedure("_initialize", &say('i'));
    let start = procedure("_start", &say('s'));
    let main = callback(
        "main",
        2,
        &format!(
            "{} (i32.or (local.get 0) (local.get 1)) (if (then unreachable)) i32.const 0",
            say('m')
        ),
    );
    let main_void = format!(
        "(func (export \"__main_void\") (result i32) {} i32.const 0)",
        say('v')
    );
    let check = |parts: &[&String], expected: &str| {
        let body: String = parts.iter().map(|part| part.as_str()).collect();
        assert_eq!(logs_of_start(&body), expected);
    };
    check(&[], "");
    check(&[&initialize], "i");
    check(&[&start], "s");
    check(&[&initialize, &start], "i");
    check(&[&initialize, &main], "im");
    check(&[&main, &start, &initialize, &main_void], "im");
    check(&[&initialize, &main_void], "iv");
    check(&[&main, &start], "s");
    check(&[&main], "");
}

fn failure_of_start(body: &str, imports: &str) -> (&'static str, String) {
    match start(&program(module(imports, body)), Script::new()) {
        Ok(_) => panic!("started"),
        Err(StartError::Start { export, failure }) => (export, failure.to_string()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn s22_a_trap_in_a_start_function_fails_the_start() {
    for export in ["_initialize", "_start"] {
        let (named, words) = failure_of_start(&procedure(export, "unreachable"), "");
        assert_eq!(named, export);
        assert!(words.contains("unreachable"), "{words}");
    }
    let body = procedure("_initialize", "") + &callback("main", 2, "unreachable");
    assert_eq!(failure_of_start(&body, "").0, "main");
}

#[test]
fn s24_what_needs_a_context_traps_while_the_module_starts() {
    let four = "(drop (call $f (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 68)))";
    let none = "(drop (call $f))";
    for (name, call) in [("proxy_get_property", four), ("proxy_done", none)] {
        let imports = env(&[name]).replace(&format!("${name}"), "$f");
        let (_, words) = failure_of_start(&procedure("_start", call), &imports);
        assert!(words.contains(&format!("{name} may not be called while the module starts")));
    }
    let (_, words) = failure_of_start(
        &procedure("_start", "(call $proc_exit (i32.const 0))"),
        &wasi(&["proc_exit"]),
    );
    assert!(words.contains("proc_exit may not be called"), "{words}");
}

#[test]
fn s25_the_system_functions_work_while_the_module_starts() {
    let imports = wasi(&[
        "environ_sizes_get",
        "environ_get",
        "clock_time_get",
        "random_get",
        "fd_write",
    ]);
    let body = format!(
        r#"(data (i32.const 200) "\d2\00\00\00\05\00\00\00") (data (i32.const 210) "hello") {}"#,
        procedure(
            "_initialize",
            "(call $environ_sizes_get (i32.const 64) (i32.const 68))
             (call $environ_get (i32.const 72) (i32.const 96))
             (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 128))
             (call $random_get (i32.const 136) (i32.const 8))
             (call $fd_write (i32.const 1) (i32.const 200) (i32.const 1) (i32.const 144))
             i32.or i32.or i32.or i32.or (if (then unreachable))"
        )
    );
    let world = Script::new().environment("A", "1");
    let mut vm = start(&program(module(&imports, &body)), world).expect("a guest");
    assert_eq!(vm.world().logs(), [(LogLevel::Info, "hello".to_owned())]);
}

#[test]
fn s26_s27_events_reach_the_root_with_their_numbers() {
    let body = [
        (
            "proxy_on_vm_start",
            "(i32.add (i32.mul (local.get 0) (i32.const 100)) (local.get 1))",
        ),
        (
            "proxy_on_configure",
            "(i32.sub (local.get 1) (local.get 0))",
        ),
    ]
    .map(|(name, sum)| callback(name, 2, sum))
    .concat();
    let mut vm = start(&program(module("", &body)), Script::new()).expect("a guest");
    assert_eq!(
        vm.deliver(&Event::VmStart { root: 1, size: 17 }, CALL),
        Ok(117)
    );
    assert_eq!(
        vm.deliver(&Event::Configure { root: 1, size: 33 }, CALL),
        Ok(32)
    );
}
