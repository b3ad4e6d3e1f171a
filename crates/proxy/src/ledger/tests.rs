//! The log is valid JSON, in order, and never in the way.

use std::io::Write;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::writer::LogWriter;
use super::{AccessRecord, Ledger};
use crate::worker::Counters;

fn record() -> AccessRecord<'static> {
    AccessRecord {
        time: UNIX_EPOCH,
        listener: "main",
        route: None,
        method: "GET",
        path: b"/a\"b\xff",
        host: b"example.org",
        protocol: "HTTP/1.1",
        status: 200,
        details: Some("via_upstream"),
        flags: "",
        bytes_in: 1,
        bytes_out: 2,
        duration: Duration::from_micros(12_034),
        cluster: Some("backend"),
        upstream: Some("[::1]:80".parse().unwrap()),
        attempts: 1,
        request_id: b"id",
        client: "127.0.0.1:4711".parse().unwrap(),
        user_agent: b"curl",
        failed_filters: &[],
        properties: &[],
        tags: &[],
    }
}

#[test]
fn a_record_is_one_line_of_json() {
    let mut line = Vec::new();
    let properties = [("a\n".to_owned(), vec![0, 255]), ("b".to_owned(), vec![])];
    let record = AccessRecord {
        failed_filters: &["auth", "limit"],
        properties: &properties,
        ..record()
    };
    record.write(&mut line);
    assert_eq!(line.split_inclusive(|byte| *byte == b'\n').count(), 1);
    let value: Value = serde_json::from_slice(&line).unwrap();
    let expected = json!({
        "time": "1970-01-01T00:00:00.000Z", "listener": "main", "route": null,
        "client": "127.0.0.1:4711", "method": "GET", "host": "example.org",
        "path": "/a\"b\u{fffd}", "protocol": "HTTP/1.1", "status": 200,
        "details": "via_upstream", "flags": null, "bytes_in": 1, "bytes_out": 2,
        "duration_ms": 12.034, "cluster": "backend", "upstream": "[::1]:80", "attempts": 1,
        "request_id": "id", "user_agent": "curl", "failed_filters": ["auth", "limit"],
        "properties": { "a\n": "\u{0}\u{fffd}", "b": "" },
    });
    assert_eq!(value, expected);
}

#[tokio::test(start_paused = true)]
async fn a_line_does_not_wait_for_long() {
    let (queue, chunks) = sync_channel(4);
    let ledger = Ledger::new(queue, Arc::default());
    let enter = async {
        ledger.enter(&record());
        assert!(chunks.try_recv().is_err());
        tokio::time::sleep(Duration::from_millis(101)).await;
        assert!(chunks.try_recv().is_ok());
    };
    tokio::select! {
        () = ledger.clone().flushes() => {}
        () = enter => {}
    }
}

#[test]
fn a_slow_reader_costs_lines_that_are_counted() {
    let (queue, chunks) = sync_channel(1);
    let counters = Arc::new(Counters::default());
    let ledger = Ledger::new(queue, Arc::clone(&counters));
    for _ in 0..3 {
        ledger.enter(&record());
        ledger.flush();
    }
    assert_eq!(counters.log_lines.get(), 1);
    assert_eq!(counters.log_lines_dropped.get(), 2);
    chunks.recv().unwrap();
    ledger.enter(&record());
    ledger.flush();
    let chunk = String::from_utf8(chunks.recv().unwrap()).unwrap();
    let last: Value = serde_json::from_str(chunk.lines().last().unwrap()).unwrap();
    assert_eq!(last["log_lines_dropped"], 2);
}

#[test]
fn the_writer_writes_everything_before_it_ends() {
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let out = Shared::default();
    let writer = LogWriter::start(Box::new(out.clone())).unwrap();
    let ledger = Ledger::new(writer.queue(), Arc::default());
    for _ in 0..1000 {
        ledger.enter(&record());
    }
    ledger.flush();
    drop(ledger);
    writer.close();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1000);
}
