//! Statements 294 to 296: what a world withholds.

use weir_guest::door::LogLevel;
use weir_guest::{Host, WaitingHost};
use weir_model::GuestLimits;
use weir_testkit::Script;
use weir_testkit::run::{CALL, engine};
use weir_testkit::{program, start};

use crate::common::{REQUEST_HEADERS, ask, callback, env, import_as, module, on_request, wasi};

#[test]
fn s294_a_withheld_host_function_fails_and_is_told() {
    let call = "(call $proxy_log (i32.const 2) (i32.const 0) (i32.const 1))";
    let world = Script::new().withhold("proxy_log");
    let (result, mut vm) = ask(&on_request(&env(&["proxy_log"]), call), world);
    assert_eq!(result, Ok(10));
    assert_eq!(vm.world().heard, ["Withheld proxy_log"]);
    assert_eq!(vm.world().logs(), []);
}

#[test]
fn s295_a_withheld_wasi_function_says_so_under_both_names() {
    for wasi in weir_guest::abi::WASI_MODULES {
        let imports = import_as(wasi, "fd_write", "$write");
        let call = "(call $write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))";
        let world = Script::new().withhold("fd_write");
        let (result, mut vm) = ask(&on_request(&imports, call), world);
        assert_eq!(result, Ok(76), "{wasi}");
        assert_eq!(vm.world().heard, ["Withheld fd_write"]);
    }
    // One without a result does nothing.
    let exit = "(call $proc_exit (i32.const 1)) (i32.const 0)";
    let world = Script::new().withhold("proc_exit");
    let (result, _) = ask(&on_request(&wasi(&["proc_exit"]), exit), world);
    assert_eq!(result, Ok(0));
}

#[test]
fn s296_a_withheld_callback_is_not_called_and_others_are() {
    let log = "(drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 0))) (i32.const 1)";
    let text = module(
        &env(&["proxy_log"]),
        &[
            callback("proxy_on_request_headers", 3, log),
            callback("proxy_on_vm_start", 2, log),
        ]
        .concat(),
    );
    let program = program(&text);
    let world = Script::new().withhold("proxy_on_request_headers");
    let mut vm = start(&program, world).expect("a guest");
    assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(0));
    assert_eq!(vm.world().logs(), []);
    let start = weir_guest::Event::VmStart { root: 1, size: 0 };
    assert_eq!(vm.deliver(&start, CALL), Ok(1));
    assert_eq!(vm.world().logs(), [(LogLevel::Info, String::new())]);
}

#[test]
fn what_tool_chains_need_is_no_capability() {
    let body = "(call $pthread_equal (i32.const 3) (i32.const 3))";
    let world = Script::new().withhold("pthread_equal");
    let (result, mut vm) = ask(&on_request(&env(&["pthread_equal"]), body), world);
    assert_eq!(result, Ok(1));
    assert!(vm.world().heard.is_empty());
}

#[test]
fn s297_each_guest_of_one_program_is_restricted_by_its_own_world() {
    let call = "(call $proxy_log (i32.const 2) (i32.const 0) (i32.const 0))";
    let program = program(on_request(&env(&["proxy_log"]), call));
    let host = Host::new(engine()).expect("a host");
    for (world, expected) in [
        (Script::new().withhold("proxy_log"), 10),
        (Script::new(), 0),
        (Script::new().withhold("proxy_log"), 10),
    ] {
        let started = host.start(&program, world, &GuestLimits::default());
        let mut vm = started.expect("a guest");
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(expected));
    }
}

#[test]
fn a_guest_that_may_wait_is_restricted_too() {
    let call = "(call $proxy_log (i32.const 2) (i32.const 0) (i32.const 0))";
    let program = program(on_request(&env(&["proxy_log"]), call));
    let host = WaitingHost::new(engine()).expect("a host");
    let limits = GuestLimits::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let deliver = async |withheld: &str| {
        let world = weir_guest::OnThread::new(Script::new().withhold(withheld));
        let mut vm = host.start(&program, world, &limits).await.expect("a guest");
        vm.deliver(&REQUEST_HEADERS, CALL).await
    };
    let (function, callback) = runtime.expect("a runtime").block_on(async {
        (
            deliver("proxy_log").await,
            deliver("proxy_on_request_headers").await,
        )
    });
    assert_eq!((function, callback), (Ok(10), Ok(0)));
}
