//! What a filter does not see is on no road to it.

use weir_model::{HiddenBodies, Pattern, Sees, Showing, Variable};
use weir_proxy::touched::Kind;

use super::refused;
use crate::guest::guest;
use crate::stage::{Gateway, Role, Stage, is_oracle, with};

/// HMAC-SHA256 of `secret` with the key `k`, by another program.
const HASH: &str = "cc7eb5fa4bdffbf43700c5657391feff076e392e64e756afd96b3139e28406c2";

fn rules(rules: &[(&str, Showing)]) -> Vec<(Pattern, Showing)> {
    let rule = |(name, showing): &(&str, Showing)| (Pattern::of(name), showing.clone());
    rules.iter().map(rule).collect()
}

fn of_request(list: &[(&str, Showing)]) -> Sees {
    Sees {
        request_headers: rules(list),
        hash_key: Some(Variable::Text("k".to_owned())),
        ..Sees::default()
    }
}

fn of_response(list: &[(&str, Showing)]) -> Sees {
    Sees {
        response_headers: rules(list),
        ..Sees::default()
    }
}

fn of_properties(list: &[(&str, Showing)]) -> Sees {
    Sees {
        properties: rules(list),
        hash_key: Some(Variable::Text("k".to_owned())),
        ..Sees::default()
    }
}

fn seeing(script: &str, sees: Sees) -> Stage {
    with(guest(script)).tune(|filter| filter.sees = Some(sees))
}

const REQUEST: &str =
    "GET /p?q=1&token=secret HTTP/1.1\r\nhost: h\r\nx-a: 1\r\nauthorization: secret\r\n\r\n";

/// Every road on which a request header could come to a filter.
const ROADS: &str = r#"
    (get 0 "authorization") (get 0 "AUTHORIZATION") (pairs 0)
    (prop "request\00headers\00authorization") (prop_pairs "request\00headers")
    (foreign "expr_create" "request.headers['authorization']") (set a (i32.load (out)))
    (call "side" "{:method:GET;:path:/c;:authority:s}" "" "" 1000)"#;

/// All that the filter has logged, and what it could have sent.
fn told(gateway: &Gateway) -> String {
    let callouts = gateway.side.seen();
    let callouts = callouts.iter().map(|seen| seen.head.clone());
    let lines = gateway.logs(0).into_iter();
    lines.chain(callouts).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(script: &str, sees: Sees, expected: &[&str]) -> Gateway {
    let gateway = seeing(script, sees).start();
    let response = gateway.ask(REQUEST);
    assert_eq!(response.status, 200);
    gateway.check(0, expected);
    gateway
}

#[test]
fn a_hidden_request_header_is_absent_on_every_road() {
    if is_oracle() {
        return;
    }
    let script = format!("(request_headers (show \"n\" $n) (bytes_of 0) {ROADS}) (log {ROADS})");
    let plain = seeing(&script, Sees::default()).start();
    plain.ask(REQUEST);
    plain.logs_when(0, 16);
    assert!(told(&plain).contains("secret"), "{}", told(&plain));
    let sees = Sees {
        query: rules(&[("token", Showing::Hide)]),
        ..of_request(&[("authorization", Showing::Hide)])
    };
    let gateway = seeing(&script, sees).start();
    gateway.ask(REQUEST);
    let lines = gateway.logs_when(0, 16);
    assert!(!told(&gateway).contains("secret"), "{}", told(&gateway));
    let number = |gateway: &Gateway, name: &str| -> i32 {
        let lines = gateway.logs(0);
        let line = lines
            .iter()
            .find(|line| line.starts_with(name))
            .expect(name);
        line.rsplit(' ')
            .next()
            .expect("a number")
            .parse()
            .expect("a number")
    };
    assert_eq!(number(&plain, "n "), number(&gateway, "n ") + 1);
    let bytes = "authorizationsecret".len() + "&token=secret".len();
    let bytes = i32::try_from(bytes).expect("few");
    assert_eq!(
        number(&plain, "bytes_of"),
        number(&gateway, "bytes_of") + bytes
    );
    assert_eq!(lines[2], "get 1", "absent, not forbidden: {lines:#?}");
    // The upstream gets it all the same.
    let head = gateway.upstream.until(|_| true).head;
    assert!(
        head.contains("authorization: secret") && head.contains("token=secret"),
        "{head}"
    );
}

#[test]
fn a_hidden_header_is_in_no_expression() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers
        (!foreign "expr_create" "has(request.headers.authorization) || request.headers['authorization'] == 'secret' || request.query.contains('secret')")
        (set a (i32.load (out)))
        (i32.store 64 @a)
        (env proxy_call_foreign_function (ptr "expr_evaluate") (len "expr_evaluate") 64 4 72 76)
        (show "size" (i32.load 76)) (if (i32.load 76) (then (show "is" (i32.load8_u (i32.load 72))))))"#;
    let lines = |sees: Sees| {
        let gateway = seeing(script, sees).start();
        gateway.ask(REQUEST);
        gateway.logs_when(0, 2)
    };
    let plain = lines(Sees::default());
    assert!(plain.contains(&"is 1".to_owned()), "{plain:?}");
    let hiding = Sees {
        query: rules(&[("token", Showing::Hide)]),
        ..of_request(&[("authorization", Showing::Hide)])
    };
    let hidden = lines(hiding);
    assert!(!hidden.contains(&"is 1".to_owned()), "{hidden:?}");
}

#[test]
fn hashes_are_equal_for_equal_values_only() {
    if is_oracle() {
        return;
    }
    let script =
        r#"(request_headers (get 0 "authorization") (prop "request\00headers\00authorization"))"#;
    let sees = || of_request(&[("authorization", Showing::Hash)]);
    let gateway = seeing(script, sees()).start();
    gateway.ask(REQUEST);
    gateway.ask(REQUEST);
    gateway.ask(REQUEST.replace("authorization: secret", "authorization: other"));
    let lines = gateway.logs_when(0, 6);
    let value = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
    let values: Vec<String> = lines.iter().map(|line| value(line)).collect();
    assert_eq!(values[0], HASH);
    assert!(
        values[..4].iter().all(|hash| *hash == values[0]),
        "{values:?}"
    );
    assert_ne!(values[4], values[0]);
    // Another gateway with the same key has the same hashes; without a key none has.
    let again = seeing(script, sees()).start();
    again.ask(REQUEST);
    assert_eq!(value(&again.logs_when(0, 1)[0]), values[0]);
    let unkeyed = Sees {
        hash_key: None,
        ..sees()
    };
    let other = seeing(script, unkeyed).start();
    other.ask(REQUEST);
    assert_ne!(value(&other.logs_when(0, 1)[0]), values[0]);
}

#[test]
fn redactions_show_what_they_say() {
    if is_oracle() {
        return;
    }
    let ends = |first, last| Showing::Ends { first, last };
    let text = Showing::Text("(no)".to_owned());
    for (showing, expected) in [
        (ends(0, 2), "get 0 ***et"),
        (ends(1, 1), "get 0 s***t"),
        (ends(3, 3), "get 0 ***"),
        (ends(0, 0), "get 0 ***"),
        (text, "get 0 (no)"),
        (Showing::Show, "get 0 secret"),
    ] {
        let sees = of_request(&[("auth*", showing), ("*", Showing::Hide)]);
        check(
            r#"(request_headers (get 0 "authorization") (get 0 "x-a"))"#,
            sees,
            &[expected, "get 1"],
        );
    }
}

#[test]
fn what_is_not_seen_is_not_changed() {
    if is_oracle() {
        return;
    }
    for call in [
        r#"(add 0 "authorization" "mine")"#,
        r#"(replace 0 "Authorization" "mine")"#,
        r#"(remove 0 "authorization")"#,
        r#"(set_pairs 0 "{:method:GET;:path:/p;:authority:h}")"#,
        r#"(set_pairs 0 "{:method:GET;:path:/p;:authority:h;authorization:mine}")"#,
    ] {
        for showing in [
            Showing::Hide,
            Showing::Hash,
            Showing::Text("***".to_owned()),
        ] {
            let sees = of_request(&[("authorization", showing)]);
            let gateway = seeing(&format!("(request_headers {call})"), sees).start();
            assert_eq!(gateway.ask(REQUEST).status, 200);
            let head = gateway.upstream.until(|_| true).head;
            assert_eq!(
                head.matches("authorization: secret").count(),
                1,
                "{call}: {head}"
            );
            assert!(!head.contains("mine"), "{call}: {head}");
            assert!(gateway.logs(0)[0].ends_with(" 0"), "{:?}", gateway.logs(0));
        }
    }
    let sees = of_request(&[("authorization", Showing::Hide)]);
    let script = r#"(request_headers (replace 0 "authorization" "mine"))"#;
    let gateway = seeing(script, sees.clone()).start();
    gateway.ask(REQUEST);
    let expected = (Kind::WrittenHeader, "authorization".to_owned());
    assert_eq!(refused(&gateway, 0), [expected]);
    let granted = seeing(script, sees)
        .tune(|filter| filter.grants.write_headers = vec![Pattern::of("authorization")])
        .start();
    granted.ask(REQUEST);
    let head = granted.upstream.until(|_| true).head;
    assert!(
        head.contains("authorization: mine") && !head.contains("secret\r"),
        "{head}"
    );
}

#[test]
fn giving_back_what_was_seen_changes_nothing() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers (pairs_raw 0) (set a (i32.load (i32.const 16))) (set b (i32.load (i32.const 20)))
        (env proxy_set_header_map_pairs 0 @a @b))"#;
    let sees = Sees {
        query: rules(&[("token", Showing::Hash)]),
        ..of_request(&[("authorization", Showing::Hash), ("x-a", Showing::Hide)])
    };
    let gateway = seeing(script, sees).start();
    let response = gateway.ask(REQUEST);
    assert_eq!(
        response.status,
        200,
        "{:?} {:#?}",
        gateway.logs(0),
        gateway.log_lines(1)
    );
    let head = gateway.upstream.until(|_| true).head;
    for kept in [
        "GET /p?q=1&token=secret ",
        "authorization: secret",
        "x-a: 1",
    ] {
        assert!(head.contains(kept), "{head}");
    }
    assert_eq!(refused(&gateway, 0), []);
}

#[test]
fn a_path_is_changed_around_what_is_not_seen() {
    if is_oracle() {
        return;
    }
    let path = |written: &str, showing: Showing| {
        let script =
            format!(r#"(request_headers (get 0 ":path") (replace 0 ":path" "{written}"))"#);
        let sees = Sees {
            query: rules(&[("token", showing)]),
            ..Sees::default()
        };
        let gateway = seeing(&script, sees).start();
        gateway.ask(REQUEST);
        let head = gateway.upstream.until(|_| true).head;
        head.split(' ').nth(1).expect("a path").to_owned()
    };
    assert_eq!(path("/else?q=2", Showing::Hide), "/else?q=2&token=secret");
    assert_eq!(path("/else", Showing::Hide), "/else?token=secret");
    let mask = Showing::Text("***".to_owned());
    assert_eq!(
        path("/else?token=***&q=1", mask.clone()),
        "/else?token=secret&q=1"
    );
    // Review 5, F6: these were the filter's to change, to drop and to double.
    for showing in [Showing::Hide, Showing::Hash, mask] {
        for written in ["/else", "/else?token=mine", "/else?%74oken=mine", "/else#f"] {
            let path = path(written, showing.clone());
            assert_eq!(path, "/else?token=secret", "{written}");
        }
    }
}

/// Review 5, F6: a filter wrote a guess under a hashed name and read its hash.
#[test]
fn nothing_that_a_filter_writes_into_a_path_is_hashed() {
    if is_oracle() {
        return;
    }
    let sees = || Sees {
        query: rules(&[("token", Showing::Hash)]),
        hash_key: Some(Variable::Text("k".to_owned())),
        ..Sees::default()
    };
    for write in [
        r#"(replace 0 ":path" "/p?token=secret")"#,
        r#"(replace 0 ":path" "/p?token=a&token=secret")"#,
        r#"(add 0 ":path" "/p?token=secret")"#,
        r#"(remove 0 ":path") (add 0 ":path" "/p?token=secret")"#,
        r#"(set_pairs 0 "{:method:GET;:path:/p?token=secret;:authority:h}")"#,
        r#"(set_pairs 0 "{:method:GET;:authority:h}") (replace 0 ":path" "/p?token=secret")"#,
    ] {
        let script =
            format!(r#"(request_headers {write} (get 0 ":path") (prop "request\00path"))"#);
        let gateway = seeing(&script, sees()).start();
        gateway.ask("GET /p?token=other HTTP/1.1\r\nhost: h\r\n\r\n");
        let lines = gateway.logs_when(0, 2).join("\n");
        assert!(!lines.contains(HASH), "{write}: {lines}");
        let head = gateway.upstream.until(|_| true).head;
        let tokens = head.matches("token=").count();
        assert!(
            tokens == 1 && head.contains("token=other"),
            "{write}: {head}"
        );
    }
}

#[test]
fn properties_of_the_path_follow_its_rules() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers (get 0 ":path") (prop "request\00path") (prop "request\00query")
        (prop "request\00url_path"))"#;
    let hide = Sees {
        query: rules(&[("token", Showing::Hide)]),
        ..Sees::default()
    };
    check(
        script,
        hide,
        &["get 0 /p?q=1", "prop 0 /p?q=1", "prop 0 q=1", "prop 0 /p"],
    );
    let all = of_request(&[(":path", Showing::Hide)]);
    check(script, all, &["get 1", "prop 1", "prop 1", "prop 1"]);
    let escaped = REQUEST.replace("token=", "%74oken=");
    let hide = Sees {
        query: rules(&[("token", Showing::Hide)]),
        ..Sees::default()
    };
    let gateway = seeing(script, hide).start();
    gateway.ask(escaped);
    gateway.check(
        0,
        &["get 0 /p?q=1", "prop 0 /p?q=1", "prop 0 q=1", "prop 0 /p"],
    );
}

#[test]
fn hidden_response_headers_and_trailers_are_absent_and_pass() {
    if is_oracle() {
        return;
    }
    let script = r#"(response_headers (get 2 "set-cookie") (pairs 2) (prop "response\00headers\00set-cookie")
            (replace 2 "set-cookie" "mine"))
        (response_trailers (show "n" $n) (get 3 "t") (pairs 3))
        (log (get 2 "set-cookie") (get 3 "t"))"#;
    let answer = "HTTP/1.1 200 OK\r\nset-cookie: secret\r\ntrailer: t\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nt: secret\r\n\r\n";
    let sees = of_response(&[("set-cookie", Showing::Hide), ("t", Showing::Hide)]);
    let gateway = seeing(script, sees).upstream(answer).start();
    let response = gateway.ask("GET /p HTTP/1.1\r\nhost: h\r\nte: trailers\r\n\r\n");
    assert_eq!(response.field("set-cookie"), "secret");
    let lines = gateway.logs_when(0, 9);
    assert!(!lines.join("\n").contains("secret"), "{lines:#?}");
    assert!(lines.contains(&"n 0".to_owned()), "{lines:#?}");
}

#[test]
fn properties_are_hidden_under_all_their_names() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers
        (prop "source\00address") (prop "route_name") (prop "xds\00route_name")
        (prop "node\00id") (prop "xds\00node\00id") (prop_pairs "node\00metadata")
        (prop "plugin_name"))"#;
    let sees = of_properties(&[
        ("source.address", Showing::Hide),
        ("xds.route_name", Showing::Hide),
        ("node.*", Showing::Hide),
    ]);
    let gateway = seeing(script, sees).start();
    gateway.ask(REQUEST);
    let lines = gateway.logs_when(0, 7);
    assert!(
        lines[..6].iter().all(|line| line.ends_with(" 1")),
        "{lines:#?}"
    );
    assert!(lines[6].starts_with("prop 0 f"), "{lines:#?}");
    let sees = of_properties(&[("source.*", Showing::Text("somebody".to_owned()))]);
    check(
        r#"(request_headers (prop "source\00address") (prop "source\00port"))"#,
        sees,
        &["prop 0 somebody", "prop 0 somebody"],
    );
}

#[test]
fn entries_of_a_hidden_map_are_left_out_of_it() {
    if is_oracle() {
        return;
    }
    let script =
        r#"(request_headers (prop_pairs "node\00metadata") (prop "node\00metadata\00zone"))"#;
    let sees = of_properties(&[("node.metadata.zone", Showing::Hide)]);
    let gateway = seeing(script, sees).start();
    gateway.ask(REQUEST);
    let lines = gateway.logs_when(0, 2);
    assert!(!lines.join("\n").contains("zone"), "{lines:#?}");
    assert_eq!(lines[1], "prop 1");
}

#[test]
fn state_of_other_filters_can_be_hidden() {
    if is_oracle() {
        return;
    }
    let stage = with(guest(r#"(request_headers (set_prop "login" "secret"))"#));
    let reader = r#"(request_headers (prop "login") (prop "filter_state\00wasm.login")
        (set_prop "login" "mine"))"#;
    let gateway = stage
        .filter(guest(reader))
        .tune(|filter| filter.sees = Some(of_properties(&[("login", Showing::Hide)])))
        .filter(guest(r#"(request_headers (prop "login"))"#))
        .start();
    gateway.ask(REQUEST);
    gateway.check(1, &["prop 1", "prop 1", "set_prop 0"]);
    gateway.check(2, &["prop 0 secret"]);
}

#[test]
fn hidden_bodies_have_no_callbacks_and_no_bytes() {
    if is_oracle() {
        return;
    }
    let script = r#"(request_headers (!call "side" "{:method:GET;:path:/c;:authority:s}" "" "" 1000) (set a $ctx) 3)
        (request_body (say "body"))
        (http_call_response (!effective @a) (read 0 0 100) (length 0) (write 0 0 100 "mine") (!continue 0))
        (response_body (say "response body") (read 1 0 100))"#;
    let post = "POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nsecret";
    let sees = Sees {
        hidden_bodies: HiddenBodies {
            request: true,
            response: false,
        },
        ..Sees::default()
    };
    let gateway = seeing(script, sees).start();
    assert_eq!(gateway.ask(post).brief(), (200, "ok"));
    let lines = gateway.logs_when(0, 5);
    assert_eq!(gateway.upstream.until(|_| true).body, "secret");
    assert!(!lines.join("\n").contains("secret"), "{lines:#?}");
    assert!(!lines.contains(&"body".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"response body".to_owned()), "{lines:#?}");
}

#[test]
fn log_plugins_see_by_their_own_rules() {
    if is_oracle() {
        return;
    }
    let script = r#"(log (get 0 "authorization") (pairs 0) (get 0 "x-a"))"#;
    let gateway = seeing(script, of_request(&[("authorization", Showing::Hide)]))
        .role(Role::Log)
        .start();
    gateway.ask(REQUEST.replace("&token=secret", ""));
    let lines = gateway.logs_when(0, 3);
    assert!(!lines.join("\n").contains("secret"), "{lines:#?}");
    assert_eq!([&*lines[0], &*lines[2]], ["get 1", "get 0 1"]);
}
