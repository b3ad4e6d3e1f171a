//! A handler of HTTP that does what the request's path says: for the tests of functions.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::{Instant, SystemTime};

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

#[expect(clippy::same_length_and_capacity, reason = "generated code has it")]
mod settings {
    wit_bindgen::generate!({
        inline: "
            package weir:handler;
            world settings {
                import wasi:config/store@0.2.0-rc.1;
            }
            package wasi:config@0.2.0-rc.1 {
                interface store {
                    variant error { upstream(string), io(string) }
                    get: func(key: string) -> result<option<string>, error>;
                    get-all: func() -> result<list<tuple<string, string>>, error>;
                }
            }
        ",
        generate_all,
    });

    pub(crate) use wasi::config::store;
}

struct Handler;

wasip2::http::proxy::export!(Handler);

impl wasip2::exports::http::incoming_handler::Guest for Handler {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/echo" => echo(&request, answer),
            "/unread" => text(answer, "I did not look"),
            "/about" => about(&request, answer),
            "/large" => large(answer, query),
            "/endless" => endless(answer),
            "/loop" => spin(),
            "/loop-later" => later(answer, || spin()),
            "/trap" => panic!("as the path says"),
            "/trap-later" => later(answer, || panic!("in the middle")),
            "/cut" => cut(answer),
            "/stop" => std::process::exit(query.parse().unwrap_or(0)),
            "/none" => {}
            "/error" => error(answer),
            "/sleep" => sleep(answer, query),
            "/sleep-later" => later(answer, || wait(query)),
            "/after" => after(answer, query),
            "/grow" => text(answer, &grow(query)),
            "/fetch" => fetch(answer, query),
            "/file" => text(answer, &file(query)),
            "/sockets" => text(answer, &sockets(query)),
            _ => text(answer, "hello"),
        }
    }
}

/// A response whose head has left, and the way to its body.
fn begin(answer: ResponseOutparam, headers: &[(&str, &str)]) -> (OutgoingBody, OutputStream) {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).expect("a good field");
    }
    let response = OutgoingResponse::new(fields);
    let body = response.body().expect("the body is not taken");
    ResponseOutparam::set(answer, Ok(response));
    let out = body.write().expect("the stream is not taken");
    (body, out)
}

fn end(body: OutgoingBody, out: OutputStream) {
    drop(out);
    OutgoingBody::finish(body, None).expect("the body is as long as it said");
}

/// Writes all, waiting as long as there is no room. `false`: nobody reads any more.
fn send(out: &OutputStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        out.subscribe().block();
        let room = match out.check_write() {
            Ok(room) => usize::try_from(room).unwrap_or(usize::MAX),
            Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => return false,
        };
        let (now, rest) = bytes.split_at(room.min(bytes.len()));
        if out.write(now).is_err() {
            return false;
        }
        bytes = rest;
    }
    true
}

/// The next bytes; `None`: there are no more.
fn receive(input: &InputStream) -> Option<Vec<u8>> {
    input.blocking_read(64 << 10).ok()
}

fn text(answer: ResponseOutparam, text: &str) {
    let (body, out) = begin(answer, &[("content-type", "text/plain")]);
    send(&out, text.as_bytes());
    end(body, out);
}

/// Sends back what comes as it comes, with its trailers, which are announced as they came.
fn echo(request: &IncomingRequest, answer: ResponseOutparam) {
    let incoming = request.consume().expect("the body is not taken");
    let mut head = vec![("content-type", "application/octet-stream")];
    let announced = request.headers().get("trailer");
    let announced = announced
        .first()
        .and_then(|it| std::str::from_utf8(it).ok());
    head.extend(announced.map(|names| ("trailer", names)));
    let (body, out) = begin(answer, &head);
    let input = incoming.stream().expect("the stream is not taken");
    while let Some(bytes) = receive(&input) {
        if !send(&out, &bytes) {
            return;
        }
    }
    drop((input, out));
    let trailers = IncomingBody::finish(incoming);
    trailers.subscribe().block();
    let trailers = trailers.get().and_then(Result::ok).and_then(Result::ok);
    let trailers = trailers.flatten().map(|trailers| {
        let copy = Fields::new();
        for (name, value) in trailers.entries() {
            copy.append(&name, &value).expect("a good field");
        }
        copy
    });
    OutgoingBody::finish(body, trailers).expect("the body is as long as it said");
}

/// Everything that the guest can tell about its call.
fn about(request: &IncomingRequest, answer: ResponseOutparam) {
    println!("to standard output");
    eprintln!("to standard error");
    print!("without an end");
    std::io::stdout().flush().expect("output is there");
    let mut lines = vec![
        format!("{:?} {:?}", request.method(), request.path_with_query()),
        format!("{:?} {:?}", request.scheme(), request.authority()),
    ];
    for (name, value) in request.headers().entries() {
        lines.push(format!("{name}: {}", String::from_utf8_lossy(&value)));
    }
    lines.extend(std::env::vars().map(|(name, value)| format!("${name}={value}")));
    lines.extend(
        std::env::args()
            .skip(1)
            .map(|argument| format!("argument {argument}")),
    );
    let settings = settings::store::get_all().expect("settings are there");
    lines.extend(
        settings
            .iter()
            .map(|(name, text)| format!("setting {name}={text}")),
    );
    let one = settings::store::get("colour").expect("settings are there");
    lines.push(format!("colour {one:?}"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    lines.push(format!("time {}", now.map_or(0, |now| now.as_secs())));
    lines.push(format!(
        "random {:x}",
        wasip2::random::random::get_random_u64()
    ));
    lines.push(format!("later {:?}", Instant::now().elapsed()));
    // Whether a map of the standard library works, which begins with a random number.
    lines.push(format!("map {}", HashMap::from([(1, 2)])[&1]));
    text(answer, &lines.join("\n"));
}

/// So many bytes, in pieces of its own choice.
fn large(answer: ResponseOutparam, bytes: &str) {
    let mut left: usize = bytes.parse().expect("a number of bytes");
    let (body, out) = begin(answer, &[]);
    let piece = vec![b'x'; 100_000];
    while left > 0 {
        let now = left.min(piece.len());
        if !send(&out, &piece[..now]) {
            return;
        }
        left -= now;
    }
    end(body, out);
}

fn endless(answer: ResponseOutparam) {
    let (_body, out) = begin(answer, &[]);
    while send(&out, &[b'x'; 1000]) {}
}

fn spin() -> ! {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

/// Does this after the head and the first bytes.
fn later(answer: ResponseOutparam, then: impl FnOnce()) {
    let (body, out) = begin(answer, &[]);
    send(&out, b"so far");
    then();
    end(body, out);
}

/// Leaves its body without an end.
fn cut(answer: ResponseOutparam) {
    let (body, out) = begin(answer, &[]);
    send(&out, b"so far");
    drop(out);
    drop(body);
}

fn error(answer: ResponseOutparam) {
    let code = wasip2::http::types::ErrorCode::InternalError(Some("as the path says".to_owned()));
    ResponseOutparam::set(answer, Err(code));
}

fn wait(milliseconds: &str) {
    let milliseconds: u64 = milliseconds.parse().expect("a number of milliseconds");
    wasip2::clocks::monotonic_clock::subscribe_duration(milliseconds * 1_000_000).block();
}

fn sleep(answer: ResponseOutparam, milliseconds: &str) {
    wait(milliseconds);
    text(answer, "awake");
}

/// Goes on when its response is whole.
fn after(answer: ResponseOutparam, milliseconds: &str) {
    text(answer, "whole");
    wait(milliseconds);
    println!("afterwards");
}

/// Takes so many megabytes.
fn grow(megabytes: &str) -> String {
    let megabytes: usize = megabytes.parse().expect("a number of megabytes");
    let mut kept = Vec::new();
    for _ in 0..megabytes {
        kept.push(vec![1_u8; 1 << 20]);
    }
    format!("{}", std::hint::black_box(&kept).len())
}

/// Asks `METHOD SCHEME://AUTHORITY/PATH` with a body of its own, and answers what it is answered.
fn fetch(answer: ResponseOutparam, what: &str) {
    let mut parts = what.splitn(2, ',');
    let method = match parts.next() {
        Some("POST") => Method::Post,
        _ => Method::Get,
    };
    let target = parts.next().unwrap_or_default();
    let (scheme, rest) = target.split_once("://").unwrap_or(("http", target));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_method(&method).expect("a good method");
    request.set_scheme(Some(&scheme)).expect("a good scheme");
    request
        .set_authority(Some(authority))
        .expect("a good authority");
    request
        .set_path_with_query(Some(path))
        .expect("a good path");
    let body = request.body().expect("the body is not taken");
    let response = match outgoing_handler::handle(request, None) {
        Ok(response) => response,
        Err(code) => return text(answer, &format!("not sent: {code:?}")),
    };
    let out = body.write().expect("the stream is not taken");
    send(&out, b"from the guest");
    end(body, out);
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(response))) => relay(answer, &response),
        Some(Ok(Err(code))) => text(answer, &format!("no response: {code:?}")),
        Some(Err(())) | None => text(answer, "no response"),
    }
}

fn relay(answer: ResponseOutparam, response: &IncomingResponse) {
    let incoming = response.consume().expect("the body is not taken");
    let status = response.status().to_string();
    let (body, out) = begin(answer, &[("x-status", &status)]);
    let input = incoming.stream().expect("the stream is not taken");
    while let Some(bytes) = receive(&input) {
        if !send(&out, &bytes) {
            return;
        }
    }
    drop(input);
    drop(incoming);
    end(body, out);
}

fn file(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| format!("{error}"))
}

fn sockets(address: &str) -> String {
    match std::net::TcpStream::connect(address) {
        Ok(_) => "connected".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}
