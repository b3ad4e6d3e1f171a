//! Bytes on raw sockets: a reader of HTTP/1 that both the client and the server use.

use std::io::Read;
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::statement::fields;

/// Longest text that a repetition makes.
const REPEATED_MAX: usize = 64 << 20;
/// How often what must come is looked for.
const POLL: Duration = Duration::from_millis(2);

/// The bytes of a text of a statement: `<x*1000>` in it is `x` a thousand times.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        if let Some((piece, count, length)) = repetition(&from[1..]) {
            bytes.extend_from_slice(piece.repeat(count).as_bytes());
            rest = &from[1 + length..];
        } else {
            bytes.push(b'<');
            rest = &from[1..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// What is repeated, how often, and how long this is written.
fn repetition(text: &str) -> Option<(&str, usize, usize)> {
    let end = text.find('>')?;
    let (piece, count) = text[..end].rsplit_once('*')?;
    let count: usize = count.parse().ok()?;
    let is_plain = !piece.is_empty() && !piece.contains('<');
    let is_short = piece.len().checked_mul(count)? <= REPEATED_MAX;
    (is_plain && is_short).then_some((piece, count, end + 1))
}

/// Polls until there is something, for so long at most.
pub(crate) fn eventually<T>(patience: Duration, mut poll: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let found = poll();
        if found.is_some() || begun.elapsed() > patience {
            return found;
        }
        std::thread::sleep(POLL);
    }
}

/// A lock, whatever happened to a thread that held it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Text of bytes that need not be text.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A socket that is read in lines, counts and chunks.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
    /// The last read ended without bytes because nothing came in time.
    pub(crate) is_late: bool,
}

/// How a body ends.
enum Framing {
    Length(usize),
    Chunks,
    Close,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            is_late: false,
        }
    }

    /// A head up to its blank line.
    pub(crate) fn head(&mut self) -> Option<String> {
        let mut head = String::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(head);
            }
            head += &line;
            head.push('\n');
        }
    }

    /// The body behind a head, piece by piece, then its trailers; `None`: it broke off. A body that
    /// ends with the connection is one only in responses: `may_close`.
    pub(crate) fn body(
        &mut self,
        head: &str,
        may_close: bool,
        note: &mut dyn FnMut(&[u8]),
    ) -> Option<String> {
        let framing = match fields(head, "content-length").first() {
            _ if !fields(head, "transfer-encoding").is_empty() => Framing::Chunks,
            Some(length) => Framing::Length(length.parse().ok()?),
            None if may_close => Framing::Close,
            None => Framing::Length(0),
        };
        match framing {
            Framing::Length(length) => self.counted(length, note)?,
            Framing::Close => {
                while self.fill() {
                    note(&std::mem::take(&mut self.buffer));
                }
                if self.is_late {
                    return None;
                }
            }
            Framing::Chunks => {
                loop {
                    let line = self.line()?;
                    let size = line.split(';').next().unwrap_or_default();
                    let size = usize::from_str_radix(size.trim(), 16).ok()?;
                    if size == 0 {
                        break;
                    }
                    self.counted(size, note)?;
                    self.counted(2, &mut |_| {})?;
                }
                return self.head();
            }
        }
        Some(String::new())
    }

    /// So many bytes, as they come.
    fn counted(&mut self, mut left: usize, note: &mut dyn FnMut(&[u8])) -> Option<()> {
        while left > 0 {
            if self.buffer.is_empty() && !self.more() {
                return None;
            }
            let count = left.min(self.buffer.len());
            note(&self.buffer[..count]);
            self.buffer.drain(..count);
            left -= count;
        }
        Some(())
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Some(lossy(&line[..at]));
            }
            self.more().then_some(())?;
        }
    }

    /// Whether there are bytes, after a read if the buffer is empty.
    fn fill(&mut self) -> bool {
        !self.buffer.is_empty() || self.more()
    }

    /// Reads once; false: the connection is over, or nothing came in time.
    pub(crate) fn more(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) => {
                let late = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
                self.is_late = late.contains(&error.kind());
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_written_out() {
        assert_eq!(bytes_of("a<x*3>b"), b"axxxb");
        assert_eq!(bytes_of("<ab*2><*>"), b"abab<*>");
        assert_eq!(bytes_of("a<b>c < d"), b"a<b>c < d");
    }
}
