//! Exchanges as data: what a client sent, what its upstream answered, what both must see.
//!
//! A message is a list of texts: the line (of a request `METHOD PATH`, of a response the status),
//! the headers, and behind an empty text the body; several parts of a body are sent as chunks.
//! Headers that no two runs share are left out of what must be seen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::all::harness::{Message, Upstream, Wire, until};

/// Headers that are other ones in each run and each gateway.
const VOLATILE: [&str; 3] = ["date", "server", "x-envoy-upstream-service-time"];
/// Headers whose place among the others says nothing.
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// Texts by name.
pub(crate) type Named = BTreeMap<String, String>;

/// What was seen of one plugin in Envoy 1.40 on plain routes.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Name and version, as the folders of the package.
    pub(crate) plugin: String,
    #[serde(default = "some_route")]
    pub(crate) route: String,
    #[serde(default = "some_cluster")]
    pub(crate) cluster: String,
    /// Cluster of the plugin's own requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) callout: Option<String>,
    /// Properties that a filter before it sets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) properties: Named,
    /// Properties whose values at the end of an exchange are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) state: Vec<String>,
    /// The plugin writes headers in an order of chance: a record has them sorted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_unordered: bool,
    /// Headers, and keys of JSON numbers, that are other ones each time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) volatile: Vec<String>,
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
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) request: Vec<String>,
    pub(crate) reply: Vec<String>,
    /// What the plugin's own request is answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) callout_reply: Vec<String>,
    /// The plugin's own requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) callouts: Vec<Vec<String>>,
    /// What the upstream got; `None`: nothing.
    pub(crate) upstream: Option<Vec<String>>,
    pub(crate) client: Vec<String>,
    /// The response code details; `None`: none, or the empty ones of a plugin's own answer.
    pub(crate) details: Option<String>,
    /// Parts of the plugin's log lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) logged: Vec<String>,
    /// The property of this name when the exchange is over, without durations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ai_log: Option<Value>,
    /// Values of the record's `state`; one that is not there was not set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) state: Named,
}

impl Record {
    /// Without the values that are other ones each time. Numbers of JSON are taken out, as plugins
    /// write them in any order, and their keys told at the end.
    pub(crate) fn steady(&self, text: &str) -> String {
        let is_header = |key: &&String| {
            let rest = text.strip_prefix(key.as_str());
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        if let Some(name) = self.volatile.iter().find(is_header) {
            return format!("{name}: 0");
        }
        let (mut text, mut found) = (text.to_owned(), Vec::new());
        for key in &self.volatile {
            while let Some(range) = number_of(&text, key) {
                text.replace_range(range, "");
                found.push(key.as_str());
            }
        }
        found.sort_unstable();
        if !found.is_empty() {
            text = format!("{text}\n+ {}", found.join(" "));
        }
        text
    }

    /// [`Record::steady`] of texts, and lengths that follow from it left out.
    pub(crate) fn all_steady(&self, texts: &[String]) -> Vec<String> {
        let follows = |text: &&String| {
            !self.volatile.is_empty() && text.to_ascii_lowercase().starts_with("content-length:")
        };
        let texts = texts.iter().filter(|text| !follows(text));
        let mut texts: Vec<_> = texts.map(|text| self.steady(text)).collect();
        if self.is_unordered {
            let end = texts.iter().position(String::is_empty);
            let end = end.unwrap_or(texts.len());
            texts[1.min(end)..end].sort_unstable();
        }
        texts
    }
}

/// Where a key of JSON stands with its number, and a comma beside it.
fn number_of(text: &str, key: &str) -> Option<std::ops::Range<usize>> {
    let mark = format!("\"{key}\":");
    let start = text.find(&mark)?;
    let rest = &text[start + mark.len()..];
    let is_number = |letter: char| letter.is_ascii_digit() || ".eE+- ".contains(letter);
    let length = rest.find(|letter| !is_number(letter)).unwrap_or(rest.len());
    let end = start + mark.len() + length;
    if text[end..].starts_with(',') {
        return Some(start..end + 1);
    }
    let has_comma = text[..start].ends_with(',');
    Some(start - usize::from(has_comma)..end)
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

    /// Answers requests like this from now on, and forgets those before.
    pub(crate) fn prepare(&self, reply: &[u8]) {
        let mut state = self.state.lock().expect("no test panics here");
        reply.clone_into(&mut state.reply);
        state.seen.clear();
    }

    /// Waits until so many requests have come; what they were.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Vec<String>> {
        until("all callouts are there", || {
            let state = self.state.lock().expect("no test panics here");
            state.seen.len() >= count
        });
        self.taken()
    }

    /// The requests since the last answer was prepared.
    pub(crate) fn taken(&self) -> Vec<Vec<String>> {
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
