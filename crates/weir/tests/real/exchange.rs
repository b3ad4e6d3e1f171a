//! Exchanges as data: what a client sent, what its upstream answered, what both must see.
//!
//! A message is a list of texts: the line (of a request `METHOD PATH`, of a response the status),
//! the headers, and behind an empty text the body; several parts of a body are sent as chunks.
//! Headers that no two runs share are left out of what must be seen.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::Value;

use crate::all::harness::{Message, Upstream, Wire};

/// Headers that are other ones in each run and each gateway.
const VOLATILE: [&str; 2] = ["date", "server"];
/// Headers whose place among the others says nothing.
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// What was seen of one plugin in Envoy 1.40 on plain routes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Name and version, as the folders of the package.
    pub(crate) plugin: String,
    #[serde(default = "some_route")]
    pub(crate) route: String,
    #[serde(default = "some_cluster")]
    pub(crate) cluster: String,
    pub(crate) configuration: Value,
    pub(crate) exchanges: Vec<Exchange>,
}

fn some_route() -> String {
    "route-1".to_owned()
}

fn some_cluster() -> String {
    "up".to_owned()
}

/// One request and everything that followed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) request: Vec<String>,
    pub(crate) reply: Vec<String>,
    /// What the upstream got; `None`: nothing.
    pub(crate) upstream: Option<Vec<String>>,
    pub(crate) client: Vec<String>,
    /// The response code details; `None`: none, or the empty ones of a plugin's own answer.
    pub(crate) details: Option<String>,
    /// Parts of the plugin's log lines.
    #[serde(default)]
    pub(crate) logged: Vec<String>,
    /// The property of this name when the exchange is over, without durations.
    pub(crate) ai_log: Option<Value>,
}

/// Puts texts on the wire; `more` stands behind the method and path, or the status.
pub(crate) fn written(first: String, texts: &[String]) -> Vec<u8> {
    let mut parts = texts.iter().skip(1);
    let mut head = first;
    for header in parts.by_ref().take_while(|text| !text.is_empty()) {
        let _ = write!(head, "\r\n{header}");
    }
    let body: Vec<&String> = parts.collect();
    let mut bytes = match body[..] {
        [] if head.contains("HTTP/1.1 ") => head + "\r\ncontent-length: 0\r\n\r\n",
        [] => head + "\r\n\r\n",
        [whole] => format!("{head}\r\ncontent-length: {}\r\n\r\n{whole}", whole.len()),
        _ => head + "\r\ntransfer-encoding: chunked\r\n\r\n",
    };
    if body.len() > 1 {
        for chunk in &body {
            let _ = write!(bytes, "{:x}\r\n{chunk}\r\n", chunk.len());
        }
        bytes += "0\r\n\r\n";
    }
    bytes.into_bytes()
}

pub(crate) fn request_bytes(texts: &[String]) -> Vec<u8> {
    written(format!("{} HTTP/1.1", texts[0]), texts)
}

pub(crate) fn response_bytes(texts: &[String]) -> Vec<u8> {
    written(format!("HTTP/1.1 {} Fine", texts[0]), texts)
}

/// A message as texts. Framing headers come last.
pub(crate) fn seen(message: &Message) -> Vec<String> {
    let words: Vec<&str> = message.line.split(' ').collect();
    let first = match words[..] {
        [version, status, ..] if version.starts_with("HTTP/") => status.to_owned(),
        [method, path, ..] => format!("{method} {path}"),
        _ => message.line.clone(),
    };
    let texts = message.headers.iter();
    let headers = texts.map(|(name, value)| format!("{name}: {value}"));
    let mut texts: Vec<String> = std::iter::once(first).chain(headers).collect();
    if !message.body.is_empty() {
        texts.extend([String::new(), message.text()]);
    }
    tidy(&texts)
}

/// Without what is volatile, and with the framing behind the other headers.
pub(crate) fn tidy(texts: &[String]) -> Vec<String> {
    let is_one_of = |text: &str, names: &[&str]| {
        let name = text.split_once(':').map(|(name, _)| name);
        name.is_some_and(|name| names.contains(&name))
    };
    let (head, body) = match texts.iter().position(String::is_empty) {
        Some(at) => texts.split_at(at),
        None => (texts, &texts[..0]),
    };
    let (framing, mut all): (Vec<_>, Vec<_>) = head
        .iter()
        .filter(|text| !is_one_of(text, &VOLATILE))
        .cloned()
        .partition(|text| is_one_of(text, &FRAMING));
    all.extend(framing);
    all.extend_from_slice(body);
    all
}

/// An upstream that answers every request as it was told last, and keeps what it saw.
pub(crate) struct Told {
    upstream: Upstream,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    reply: Vec<u8>,
    seen: Vec<Message>,
}

impl Told {
    pub(crate) fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let upstream = Upstream::start(move |mut wire, _| {
            while let Ok(Some(request)) = wire.try_request() {
                let reply = {
                    let mut state = shared.lock().expect("no test panics here");
                    state.seen.push(request);
                    state.reply.clone()
                };
                if wire.try_send(reply).is_err() {
                    return;
                }
            }
        });
        Self { upstream, state }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.upstream.address
    }

    /// Sends a request to a gateway: what the upstream saw, and what the client.
    pub(crate) fn ask(&self, gateway: SocketAddr, request: &[u8], reply: &[u8]) -> Sights {
        self.prepare(reply);
        let mut wire = Wire::connect(gateway);
        wire.send(request);
        Sights {
            client: answers(&mut wire, request.starts_with(b"HEAD ")),
            upstream: self.taken(),
        }
    }

    fn prepare(&self, reply: &[u8]) {
        let mut state = self.state.lock().expect("no test panics here");
        reply.clone_into(&mut state.reply);
        state.seen.clear();
    }

    fn taken(&self) -> Vec<Vec<String>> {
        let state = self.state.lock().expect("no test panics here");
        let with_trailers = |request: &Message| {
            let trailers = request.trailers.iter();
            let trailers = trailers.map(|(name, value)| format!("trailer {name}: {value}"));
            seen(request).into_iter().chain(trailers).collect()
        };
        state.seen.iter().map(with_trailers).collect()
    }
}

/// Everything up to the final response, as texts.
fn answers(wire: &mut Wire, is_head_request: bool) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let answer = if is_head_request {
            wire.try_head()
                .and_then(|head| head.ok_or(ErrorKind::UnexpectedEof.into()))
        } else {
            wire.try_response()
        };
        let Ok(answer) = answer else {
            all.push("closed".to_owned());
            return all;
        };
        all.extend(seen(&answer));
        all.extend(
            answer
                .trailers
                .iter()
                .map(|(name, value)| format!("trailer {name}: {value}")),
        );
        if answer.status() >= 200 {
            return all;
        }
    }
}

/// What both ends of one exchange saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sights {
    pub(crate) upstream: Vec<Vec<String>>,
    pub(crate) client: Vec<String>,
}
