//! A corpus of malformed and smuggling requests: refused or closed, and no upstream sees a whole
//! request that the client did not make. What decides is RFC 9112 and RFC 9110.

mod corpus;

use corpus::{CORPUS, Case, Fate, large};

use crate::harness::{Gateway, Message, Seen, Upstream, Wire, site};

/// What a smuggler would get through behind each case.
const FOLLOW_UP: &str = "GET /smuggled HTTP/1.1\r\nhost: smuggled\r\nconnection: close\r\n\r\n";
/// Refusals.
const REFUSALS: [u16; 8] = [400, 408, 413, 414, 417, 431, 501, 505];

/// Every response of a connection; the connection ends or is reset after the last one.
fn responses(wire: &mut Wire) -> Vec<Message> {
    std::iter::from_fn(|| wire.try_response().ok()).collect()
}

/// What an upstream gets says once where it ends and whom it is for.
#[track_caller]
fn check_framing(request: &Message) {
    let count = |name| {
        request
            .headers
            .iter()
            .filter(|(known, _)| known == name)
            .count()
    };
    assert_eq!(count("host"), 1, "{request:?}");
    assert!(
        count("content-length") + count("transfer-encoding") <= 1,
        "{request:?}"
    );
}

/// What is wrong with the gateway's treatment of a case, if anything is.
fn complaint(gateway: &Gateway, seen: &Seen, case: &Case<'_>) -> Option<String> {
    let Case { name, bytes, fate } = case;
    let mut wire = gateway.connect();
    // The gateway may close before it has read all.
    let _ = wire.try_send(bytes);
    let _ = wire.try_send(FOLLOW_UP);
    if matches!(fate, Fate::Closed) {
        wire.finish();
    }
    let statuses: Vec<u16> = responses(&mut wire).iter().map(Message::status).collect();
    drop(wire);
    let whole = seen.take();
    whole.iter().for_each(check_framing);
    let paths: Vec<&str> = whole.iter().map(Message::path).collect();
    let are_refusals = statuses.iter().all(|status| REFUSALS.contains(status));
    let is_right = match fate {
        Fate::Refused(status) => statuses == [*status] && are_refusals && paths.is_empty(),
        Fate::Closed => statuses.len() <= 1 && are_refusals && paths.is_empty(),
        Fate::ServedThenRefused(path, status) => statuses == [200, *status] && paths == [*path],
        // The same with nothing wrong is served, and what follows it, too.
        Fate::Served(path) => statuses == [200, 200] && paths == [*path, "/smuggled"],
    };
    let complaint = || format!("{name}: {fate:?}, but: {statuses:?}, forwarded: {paths:?}");
    (!is_right).then(complaint)
}

#[test]
fn nothing_malformed_gets_through() {
    let (upstream, seen) = Upstream::echoing();
    let site = site(upstream.address, "      - forward: up", "");
    let gateway = Gateway::start(&site.replace("name: main", "name: main\n    access_log: off"));
    assert!(CORPUS.len() >= 60);
    let mut complaints: Vec<String> = CORPUS
        .iter()
        .filter_map(|case| complaint(&gateway, &seen, case))
        .collect();
    for (name, bytes, status) in large() {
        let case = Case {
            name,
            bytes: &bytes,
            fate: Fate::Refused(status),
        };
        complaints.extend(complaint(&gateway, &seen, &case));
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
    gateway.end();
}

/// The tracker of the framing once kept them all.
#[test]
fn endless_zeros_of_a_chunk_size_are_not_kept() {
    let (upstream, _) = Upstream::echoing();
    let gateway = Gateway::start(&site(upstream.address, "      - forward: up", ""));
    let before = gateway.resident_kib();
    let mut wire = gateway.connect();
    wire.send("POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let zeros = vec![b'0'; 1 << 20];
    while wire.try_send(&zeros).is_ok() {
        assert!(gateway.resident_kib() < before + (16 << 10));
    }
    drop(wire);
    gateway.end();
}

#[test]
fn nothing_malformed_gets_through_in_pieces() {
    let (upstream, seen) = Upstream::echoing();
    let site = site(upstream.address, "      - forward: up", "");
    let gateway = Gateway::start(&site.replace("name: main", "name: main\n    access_log: off"));
    for case in CORPUS
        .iter()
        .filter(|case| matches!(case.fate, Fate::Refused(_)))
    {
        let mut wire = gateway.connect();
        for byte in case.bytes {
            // The gateway may close before it has read all.
            let _ = wire.try_send([*byte]);
        }
        let _ = wire.try_send(FOLLOW_UP);
        let refused = responses(&mut wire);
        assert!(refused.len() <= 1, "{}: {refused:?}", case.name);
        assert!(
            refused
                .iter()
                .all(|answer| REFUSALS.contains(&answer.status())),
            "{}",
            case.name
        );
        let whole = seen.take();
        assert!(whole.is_empty(), "{}: {whole:?}", case.name);
    }
    gateway.end();
}
