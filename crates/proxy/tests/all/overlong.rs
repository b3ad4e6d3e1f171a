//! What a guest names is refused by its length, before anything is made of it.

use crate::guest::guest;
use crate::stage::{GET, is_oracle, with};

/// Of each function, an argument of twenty megabytes.
const SCRIPT: &str = r#"(request_headers
    (env proxy_get_property 1024 20000000 64 68)
    (env proxy_set_property 1024 20000000 64 1)
    (env proxy_get_property 1024 4097 64 68)
    (env proxy_set_property 1024 4096 64 1)
    (env proxy_get_header_map_value 0 1024 20000000 64 68)
    (env proxy_call_foreign_function 1024 20000000 64 1 64 68)
    (env proxy_register_shared_queue 1024 20000000 64)
    (env proxy_resolve_shared_queue 1024 1 1024 20000000 64)
    (env proxy_define_metric 0 1024 20000000 64)
    (env proxy_http_call 1024 20000000 64 0 64 0 64 0 1000 80)
    (env proxy_grpc_call 1024 20000000 64 1 64 1 64 0 64 0 1000 80))"#;

#[test]
fn long_names_are_refused() {
    if is_oracle() {
        return;
    }
    let gateway = with(guest(SCRIPT)).start();
    assert_eq!(gateway.ask(GET).status, 200);
    let expected = [
        "proxy_get_property 1",
        "proxy_set_property 2",
        "proxy_get_property 1",
        "proxy_set_property 0",
        "proxy_get_header_map_value 1",
        "proxy_call_foreign_function 1",
        "proxy_register_shared_queue 2",
        "proxy_resolve_shared_queue 1",
        "proxy_define_metric 10",
        "proxy_http_call 2",
        "proxy_grpc_call 2",
    ];
    gateway.check(0, &expected);
}

/// An answer may be what keeps a request out: it does not fail for its details.
#[test]
fn long_details_of_an_answer_are_cut() {
    if is_oracle() {
        return;
    }
    let script = r"(request_headers
        (memory.fill (i32.const 1024) (i32.const 97) (i32.const 20000000))
        (env proxy_send_local_response 403 1024 20000000 64 0 64 0 -1) (return 1))";
    let gateway = with(guest(script)).start();
    assert_eq!(gateway.ask(GET).status, 403);
    assert_eq!(
        gateway.details().len(),
        weir_model::limits::ANSWER_DETAILS_BYTES_MAX
    );
}
