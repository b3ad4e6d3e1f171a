//! The access log for somebody who works on a module: a short line for each exchange.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use crate::terminal::printable;

/// Makes short lines of the access log's.
pub(super) fn short_lines() -> Box<dyn Write + Send> {
    Box::new(ShortLines {
        out: io::stdout(),
        rest: Vec::new(),
    })
}

/// Takes whole lines of JSON; a rest waits for its end.
struct ShortLines<W> {
    out: W,
    rest: Vec<u8>,
}

impl<W: Write> Write for ShortLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let rest = self.rest.split_off(end + 1);
            let line = std::mem::replace(&mut self.rest, rest);
            self.out.write_all(short(&line).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn short(line: &[u8]) -> String {
    let Ok(record) = serde_json::from_slice::<Value>(line) else {
        return String::from_utf8_lossy(line).into_owned();
    };
    let text = |key: &str| record[key].as_str().unwrap_or("-").to_owned();
    let mut told = format!(
        "{} {} {} {} ms",
        record["status"],
        text("method"),
        text("path"),
        record["duration_ms"]
    );
    let flags = record["flags"].as_str().unwrap_or_default();
    if !flags.is_empty() {
        let _ = write!(told, " {flags} {}", text("details"));
    }
    if let Some(failed) = record["failed_filters"].as_array() {
        let failed: Vec<&str> = failed.iter().filter_map(Value::as_str).collect();
        let _ = write!(told, " (failed: {})", failed.join(", "));
    }
    format!("{}\n", printable(&told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_happened() {
        let mut lines = ShortLines {
            out: Vec::new(),
            rest: Vec::new(),
        };
        let record = br#"{"method":"GET","path":"/a","status":503,"details":"why","flags":"UF","duration_ms":1.5,"failed_filters":["f"]}"#;
        lines.write_all(&record[..20]).expect("a vector takes all");
        lines.write_all(&record[20..]).expect("a vector takes all");
        assert!(lines.out.is_empty());
        lines.write_all(b"\n").expect("a vector takes all");
        assert_eq!(lines.out, b"503 GET /a 1.5 ms UF why (failed: f)\n");
    }
}
