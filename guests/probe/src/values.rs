//! Values in braces: `{name}` or `{source:argument}`; what is absent reads `-`.
//!
//! Braces that do not begin so (those of JSON, for example) stand for themselves.

use std::cell::RefCell;
use std::time::UNIX_EPOCH;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, MetricType};

use crate::player::Player;
use crate::wasi::random;

thread_local! {
    static MEMORY: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Counts `name` in the VM's own memory, which a new VM does not have.
pub fn remember(name: &str) {
    MEMORY.with_borrow_mut(|memory| memory.push(name.to_owned()));
}

fn remembered(name: &str) -> usize {
    MEMORY.with_borrow(|memory| memory.iter().filter(|known| *known == name).count())
}

impl Player {
    /// `text` with its values filled in.
    pub fn text(&self, text: &str) -> String {
        let mut full = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            full.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some((name, behind)) = name_at_start(rest) {
                full.push_str(self.value(name).as_deref().unwrap_or("-"));
                rest = behind;
            } else {
                full.push('{');
                rest = &rest[1..];
            }
        }
        full.push_str(rest);
        full
    }

    fn value(&self, name: &str) -> Option<String> {
        match name.split_once(':') {
            Some((source, argument)) => self.lookup(source, argument),
            None => self.plain(name),
        }
    }

    fn plain(&self, name: &str) -> Option<String> {
        match name {
            "id" => Some(self.id.to_string()),
            "calls" => Some(self.open_calls.to_string()),
            "body" => buffer(self.body?),
            "request_body" => buffer(BufferType::HttpRequestBody),
            "response_body" => buffer(BufferType::HttpResponseBody),
            "call_body" => buffer(BufferType::HttpCallResponseBody),
            "grpc_body" => buffer(BufferType::GrpcReceiveBuffer),
            "config" => buffer(BufferType::PluginConfiguration),
            "vm_config" => buffer(BufferType::VmConfiguration),
            "time" => Some(host_time().to_string()),
            "clock" => Some(
                std::time::SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .ok()?
                    .as_nanos()
                    .to_string(),
            ),
            "coin" => Some(
                if random().is_multiple_of(2) {
                    "heads"
                } else {
                    "tails"
                }
                .to_owned(),
            ),
            "random" => Some(random().to_string()),
            "log_level" => hostcalls::get_log_level()
                .ok()
                .map(|level| format!("{level:?}")),
            _ => self.known(name).map(str::to_owned),
        }
    }

    fn lookup(&self, source: &str, argument: &str) -> Option<String> {
        match source {
            "request" => header(MapType::HttpRequestHeaders, argument),
            "request_trailer" => header(MapType::HttpRequestTrailers, argument),
            "response" => header(MapType::HttpResponseHeaders, argument),
            "response_trailer" => header(MapType::HttpResponseTrailers, argument),
            "call" => header(MapType::HttpCallResponseHeaders, argument),
            "call_trailer" => header(MapType::HttpCallResponseTrailers, argument),
            "property" => property(argument).map(|bytes| text_of(&bytes)),
            "number" => Some(i64::from_le_bytes(property(argument)?.try_into().ok()?).to_string()),
            "bool" => Some((property(argument)? != [0]).to_string()),
            "shared" => hostcalls::get_shared_data(argument)
                .ok()?
                .0
                .map(|bytes| text_of(&bytes)),
            "counter" => metric(MetricType::Counter, argument),
            "gauge" => metric(MetricType::Gauge, argument),
            "env" => std::env::var(argument).ok(),
            "memory" => Some(remembered(argument).to_string()),
            "length" => Some(self.value(argument)?.len().to_string()),
            "upper" => Some(self.value(argument)?.to_ascii_uppercase()),
            "parity" => {
                let first = *self.value(argument)?.as_bytes().first()?;
                Some(
                    if first.is_multiple_of(2) {
                        "even"
                    } else {
                        "odd"
                    }
                    .to_owned(),
                )
            }
            _ => None,
        }
    }
}

/// The name in the braces that `text` begins with, and what follows them.
fn name_at_start(text: &str) -> Option<(&str, &str)> {
    let (name, behind) = text.strip_prefix('{')?.split_once('}')?;
    let plausible = name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.contains(|c: char| c.is_whitespace() || c == '{' || c == '"');
    plausible.then_some((name, behind))
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn header(map: MapType, name: &str) -> Option<String> {
    hostcalls::get_map_value_bytes(map, name)
        .ok()?
        .map(|bytes| text_of(&bytes))
}

fn buffer(kind: BufferType) -> Option<String> {
    hostcalls::get_buffer(kind, 0, i32::MAX as usize)
        .ok()?
        .map(|bytes| text_of(&bytes))
}

/// A property by its path; parts are separated by `/` if there is one in it, else by dots.
fn property(path: &str) -> Option<Vec<u8>> {
    let separator = if path.contains('/') { '/' } else { '.' };
    hostcalls::get_property(path.split(separator).collect()).ok()?
}

fn metric(kind: MetricType, name: &str) -> Option<String> {
    let id = hostcalls::define_metric(kind, name).ok()?;
    hostcalls::get_metric(id)
        .ok()
        .map(|value| value.to_string())
}

fn host_time() -> u128 {
    hostcalls::get_current_time()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |time| time.as_nanos())
}
