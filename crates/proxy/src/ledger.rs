//! The access log: one JSON object a line for each exchange, and never a worker that waits for it.
//!
//! A worker gathers lines in a buffer of its own and hands full ones to the writer's thread through
//! a bounded queue. When the reader of the log is too slow the queue fills up; lines are then
//! dropped, counted, and their number is written where they are missing.

pub(crate) mod json;
pub(crate) mod writer;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use weir_model::limits;

use crate::worker::Counters;
use json::Object;

/// What is written of one exchange. Borrowed: nothing is copied but into the line. A `None` or empty
/// text is written as `null`, so that every line has the same keys.
#[derive(Clone, Debug)]
pub(crate) struct AccessRecord<'a> {
    /// When the request began.
    pub(crate) time: SystemTime,
    /// Name of the listener.
    pub(crate) listener: &'a str,
    /// Name of the route.
    pub(crate) route: Option<&'a str>,
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) path: &'a [u8],
    /// The host that the client asked for.
    pub(crate) host: &'a [u8],
    pub(crate) protocol: &'a str,
    /// The status sent to the client; 0: none was sent.
    pub(crate) status: u16,
    pub(crate) details: Option<&'a str>,
    /// Envoy's response flags.
    pub(crate) flags: &'a str,
    /// Body bytes received from the client.
    pub(crate) bytes_in: u64,
    /// Body bytes sent to the client.
    pub(crate) bytes_out: u64,
    pub(crate) duration: Duration,
    pub(crate) cluster: Option<&'a str>,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) attempts: u32,
    pub(crate) request_id: &'a [u8],
    pub(crate) client: SocketAddr,
    pub(crate) user_agent: &'a [u8],
    /// Names of filters that failed during the exchange.
    pub(crate) failed_filters: &'a [&'a str],
    /// Properties that filters set for the log.
    pub(crate) properties: &'a [(String, Vec<u8>)],
    /// Tags that filters set (Higress's `trace_span_tag.*`).
    pub(crate) tags: &'a [(String, Vec<u8>)],
}

impl AccessRecord<'_> {
    /// Appends the record as one line.
    pub(crate) fn write(&self, lines: &mut Vec<u8>) {
        let mut line = Object::begin(lines);
        line.time("time", self.time);
        line.text("listener", self.listener.as_bytes());
        line.text("route", bytes_of(self.route));
        line.address("client", Some(self.client));
        line.text("method", self.method.as_bytes());
        line.text("host", self.host);
        line.text("path", self.path);
        line.text("protocol", self.protocol.as_bytes());
        line.number("status", u64::from(self.status));
        line.text("details", bytes_of(self.details));
        line.text("flags", self.flags.as_bytes());
        line.number("bytes_in", self.bytes_in);
        line.number("bytes_out", self.bytes_out);
        line.milliseconds("duration_ms", self.duration);
        line.text("cluster", bytes_of(self.cluster));
        line.address("upstream", self.upstream);
        line.number("attempts", u64::from(self.attempts));
        line.text("request_id", self.request_id);
        line.text("user_agent", self.user_agent);
        if !self.failed_filters.is_empty() {
            line.texts("failed_filters", self.failed_filters);
        }
        if !self.properties.is_empty() {
            line.object("properties", self.properties);
        }
        if !self.tags.is_empty() {
            line.object("tags", self.tags);
        }
        line.end();
    }
}

fn bytes_of(text: Option<&str>) -> &[u8] {
    text.unwrap_or_default().as_bytes()
}

/// A worker's end of the access log. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Option<Rc<Gathered>>);

#[derive(Debug)]
struct Gathered {
    lines: RefCell<Lines>,
    queue: SyncSender<Vec<u8>>,
    counters: Arc<Counters>,
    begun: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    text: Vec<u8>,
    count: u64,
    /// Dropped since the last chunk that got through.
    dropped: u64,
}

impl Ledger {
    /// A log that writes nothing and costs nothing.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// A log that ends in this queue. Its [`Ledger::flushes`] must run beside it.
    pub(crate) fn new(queue: SyncSender<Vec<u8>>, counters: Arc<Counters>) -> Self {
        Self(Some(Rc::new(Gathered {
            lines: RefCell::default(),
            queue,
            counters,
            begun: Notify::new(),
        })))
    }

    /// Whether records are written at all: if not, they need not be made.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Writes one record. Never waits.
    pub(crate) fn enter(&self, record: &AccessRecord<'_>) {
        let Some(gathered) = &self.0 else { return };
        let lines = &mut *gathered.lines.borrow_mut();
        if lines.text.is_empty() {
            lines
                .text
                .reserve(limits::LOG_CHUNK_BYTES + limits::LOG_CHUNK_BYTES / 4);
            gathered.begun.notify_one();
        }
        record.write(&mut lines.text);
        lines.count += 1;
        if lines.text.len() >= limits::LOG_CHUNK_BYTES {
            gathered.hand_over(lines);
        }
    }

    /// Hands over what was gathered.
    pub(crate) fn flush(&self) {
        if let Some(gathered) = &self.0 {
            gathered.hand_over(&mut gathered.lines.borrow_mut());
        }
    }

    /// Sees to it that no line waits longer than [`limits::LOG_FLUSH_INTERVAL`]. Never ends.
    pub(crate) async fn flushes(self) {
        let Some(gathered) = &self.0 else {
            return std::future::pending().await;
        };
        loop {
            gathered.begun.notified().await;
            tokio::time::sleep(limits::LOG_FLUSH_INTERVAL).await;
            self.flush();
        }
    }
}

impl Gathered {
    fn hand_over(&self, lines: &mut Lines) {
        if lines.text.is_empty() {
            return;
        }
        let mut text = std::mem::take(&mut lines.text);
        let count = std::mem::take(&mut lines.count);
        if lines.dropped > 0 {
            let mut notice = Object::begin(&mut text);
            notice.time("time", SystemTime::now());
            notice.number("log_lines_dropped", lines.dropped);
            notice.end();
        }
        match self.queue.try_send(text) {
            Ok(()) => {
                lines.dropped = 0;
                self.counters.log_lines.add(count);
            }
            Err(TrySendError::Full(mut text) | TrySendError::Disconnected(mut text)) => {
                lines.dropped += count;
                self.counters.log_lines_dropped.add(count);
                text.clear();
                lines.text = text;
            }
        }
    }
}

#[cfg(test)]
mod tests;
