//! Where messages begin and end in the bytes of a client, decided a second time.
//!
//! The codec is lenient where a chain of proxies must not be: it serves a request with both
//! `content-length` and `transfer-encoding`, and hides the first. This tracker reads the same bytes
//! on their way to the codec and keeps its own account of the framing. It never changes a byte. The
//! invariant that the exchange relies on: a request whose framing the tracker did not follow to the
//! letter is *suspect*, and so is everything after it (RFC 9112 §6.3, §11.2).

use memchr::memchr;
use weir_model::limits::CHUNK_LINE_BYTES;

/// Hexadecimal digits of a chunk's size, zeros before it included.
const CHUNK_SIZE_DIGITS: usize = 16;

/// The account of one connection. It costs one pass over the lines of each head, nothing for bodies.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    stage: Stage,
    /// A head or chunk line that continues in the next read.
    partial: Vec<u8>,
    /// Bytes of the current head, complete lines only.
    head_bytes: usize,
    transfer_encoding: Option<Coding>,
    content_length: Option<Length>,
    heads: u64,
    suspect_from: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    Body {
        left: u64,
    },
    ChunkSize,
    ChunkBody {
        left: u64,
    },
    ChunkEnd,
    Trailers,
    /// After a head with ambiguous framing: whatever the codec makes of it is suspect.
    Lost,
    /// After a chunked body that broke off its framing: nothing that follows means anything.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(u64),
    Invalid,
}

impl Framing {
    /// Takes note of bytes that arrived, and returns how many of them the codec may see: fewer than
    /// all when a chunked body breaks off its framing. (The codec is lenient there: it takes a bare
    /// LF for the end of a trailer and swallows what follows.)
    pub(crate) fn arrived(&mut self, arrived: &[u8]) -> usize {
        let mut bytes = arrived;
        while !bytes.is_empty() {
            let rest = match self.stage {
                Stage::Head | Stage::ChunkSize | Stage::ChunkEnd | Stage::Trailers => {
                    self.line(bytes)
                }
                Stage::Body { left } => {
                    let (left, rest) = skip(left, bytes);
                    self.stage = if left == 0 {
                        Stage::Head
                    } else {
                        Stage::Body { left }
                    };
                    rest
                }
                Stage::ChunkBody { left } => {
                    let (left, rest) = skip(left, bytes);
                    self.stage = if left == 0 {
                        Stage::ChunkEnd
                    } else {
                        Stage::ChunkBody { left }
                    };
                    rest
                }
                Stage::Lost | Stage::Broken => break,
            };
            if self.stage == Stage::Broken {
                break;
            }
            bytes = rest;
        }
        if self.stage == Stage::Broken {
            return arrived.len() - bytes.len();
        }
        arrived.len()
    }

    /// Whether the last byte that arrived was the last one of a message (or nothing arrived yet).
    pub(crate) fn is_between_messages(&self) -> bool {
        self.stage == Stage::Head && self.head_bytes == 0 && self.partial.is_empty()
    }

    /// Whether a head has begun and not ended.
    pub(crate) fn is_in_head(&self) -> bool {
        self.stage == Stage::Head && !self.is_between_messages()
    }

    /// Whether a chunked body broke off its framing.
    pub(crate) fn is_broken(&self) -> bool {
        self.stage == Stage::Broken
    }

    /// Whether the request with this number (the first is 1) is not framed beyond doubt.
    pub(crate) fn is_suspect(&self, request: u64) -> bool {
        request > self.heads || self.suspect_from.is_some_and(|first| first <= request)
    }

    /// Consumes one line, or the beginning of one.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            // The codec bounds a head, but not the zeros before a chunk's size.
            if self.stage != Stage::Head && self.partial.len() + bytes.len() > CHUNK_LINE_BYTES {
                self.stage = self.broken();
                return bytes;
            }
            self.partial.extend_from_slice(bytes);
            return &[];
        };
        let (line, rest) = bytes.split_at(end + 1);
        if self.partial.is_empty() {
            self.whole_line(line);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(line);
            self.whole_line(&whole);
        }
        rest
    }

    fn whole_line(&mut self, line: &[u8]) {
        match self.stage {
            Stage::Head => self.head_line(line),
            Stage::ChunkSize | Stage::ChunkEnd | Stage::Trailers
                if line.len() > CHUNK_LINE_BYTES =>
            {
                self.stage = self.broken();
            }
            Stage::ChunkSize => {
                self.stage = match chunk_size(line) {
                    Some(0) => Stage::Trailers,
                    Some(left) => Stage::ChunkBody { left },
                    None => self.broken(),
                };
            }
            Stage::ChunkEnd if line == b"\r\n" => self.stage = Stage::ChunkSize,
            Stage::Trailers if line == b"\r\n" => self.stage = Stage::Head,
            Stage::Trailers if is_strict_line(line) => {}
            Stage::ChunkEnd | Stage::Trailers => self.stage = self.broken(),
            Stage::Body { .. } | Stage::ChunkBody { .. } | Stage::Lost | Stage::Broken => {}
        }
    }

    fn head_line(&mut self, line: &[u8]) {
        let content = trim_end(line);
        if content.is_empty() {
            if self.head_bytes > 0 {
                self.end_of_head();
            }
            return;
        }
        let is_request_line = self.head_bytes == 0;
        self.head_bytes += line.len();
        if is_request_line {
            return;
        }
        match content[0] | 0x20 {
            b't' => {
                if let Some(value) = value_of(content, b"transfer-encoding") {
                    let coding = match self.transfer_encoding {
                        None if value.eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
                        None | Some(_) => Coding::Other,
                    };
                    self.transfer_encoding = Some(coding);
                }
            }
            b'c' => {
                if let Some(value) = value_of(content, b"content-length") {
                    let length = digits(value).map_or(Length::Invalid, Length::Bytes);
                    self.content_length = match self.content_length {
                        None => Some(length),
                        Some(earlier) if earlier == length => Some(length),
                        Some(_) => Some(Length::Invalid),
                    };
                }
            }
            _ => {}
        }
    }

    fn end_of_head(&mut self) {
        self.heads += 1;
        self.head_bytes = 0;
        self.stage = match (self.transfer_encoding.take(), self.content_length.take()) {
            (None, None | Some(Length::Bytes(0))) => Stage::Head,
            (None, Some(Length::Bytes(left))) => Stage::Body { left },
            (Some(Coding::Chunked), None) => Stage::ChunkSize,
            (Some(_), _) | (None, Some(Length::Invalid)) => {
                self.suspect_from.get_or_insert(self.heads);
                Stage::Lost
            }
        };
    }

    /// The message that is being read ends nowhere: the next one is suspect.
    fn broken(&mut self) -> Stage {
        self.suspect_from.get_or_insert(self.heads + 1);
        Stage::Broken
    }
}

fn skip(left: u64, bytes: &[u8]) -> (u64, &[u8]) {
    let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    (left - count as u64, &bytes[count..])
}

/// A line without its end: LF, or CR LF.
fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Ends in CR LF and holds no other CR.
fn is_strict_line(line: &[u8]) -> bool {
    line.ends_with(b"\r\n") && memchr(b'\r', line) == Some(line.len() - 2)
}

/// The trimmed value of a header line, if it has this (lower-case) name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, tail) = line.split_at_checked(name.len())?;
    if !head.eq_ignore_ascii_case(name) {
        return None;
    }
    // A blank before the colon makes the codec refuse the head; here it must count all the same.
    let value = tail.trim_ascii_start().strip_prefix(b":")?;
    Some(value.trim_ascii())
}

fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The size in a chunk line; extensions are allowed and ignored (RFC 9112 §7.1).
fn chunk_size(line: &[u8]) -> Option<u64> {
    if !is_strict_line(line) {
        return None;
    }
    let line = trim_end(line);
    if line
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        return None;
    }
    let size = memchr(b';', line).map_or(line, |end| &line[..end]);
    let size = size.trim_ascii_end();
    if !(1..=CHUNK_SIZE_DIGITS).contains(&size.len()) {
        return None;
    }
    size.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        number.checked_mul(16)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the bytes whole and one by one; both must agree.
    fn framing(bytes: &[u8]) -> Framing {
        let mut whole = Framing::default();
        whole.arrived(bytes);
        let mut split = Framing::default();
        bytes.chunks(1).for_each(|byte| {
            split.arrived(byte);
        });
        let account = |f: &Framing| (f.stage, f.heads, f.suspect_from);
        assert_eq!(account(&whole), account(&split), "split reads differ");
        whole
    }

    fn clean(bytes: &str, heads: u64) {
        let framing = framing(bytes.as_bytes());
        assert_eq!(framing.heads, heads, "{bytes:?}");
        assert!(!framing.is_suspect(heads), "{bytes:?}");
        assert!(framing.is_between_messages(), "{bytes:?}");
    }

    fn suspect(bytes: &str, request: u64) {
        let framing = framing(bytes.as_bytes());
        assert!(framing.is_suspect(request), "{bytes:?}");
        assert!(
            request == 1 || !framing.is_suspect(request - 1),
            "{bytes:?}"
        );
    }

    #[test]
    fn well_framed_messages_are_followed() {
        clean("GET / HTTP/1.1\r\nhost: a\r\n\r\n", 1);
        clean("\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", 1);
        clean("GET / HTTP/1.1\nhost: a\n\nGET / HTTP/1.1\r\n\r\n", 2);
        clean(
            "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
            2,
        );
        clean(
            "POST / HTTP/1.1\r\nContent-Length: 2\r\ncontent-length:2\r\n\r\nok",
            1,
        );
        clean(
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\nA \r\n0123456789\r\n0\r\nt: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            2,
        );
        clean("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", 1);
    }

    #[test]
    fn ambiguous_framing_is_suspect() {
        suspect(
            "POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
            1,
        );
        suspect(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
            1,
        );
        suspect(
            "POST / HTTP/1.1\r\ntransfer-encoding : chunked\r\ncontent-length: 5\r\n\r\n",
            1,
        );
        suspect(
            "POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
            1,
        );
        suspect("POST / HTTP/1.1\r\ncontent-length: 5, 5\r\n\r\n", 1);
        suspect("POST / HTTP/1.1\r\ncontent-length: +5\r\n\r\n", 1);
        suspect("POST / HTTP/1.1\r\ncontent-length:\r\n\r\n", 1);
        suspect(
            "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
            1,
        );
        suspect(
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            1,
        );
        suspect("POST / HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n", 1);
        suspect(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            1,
        );
        suspect(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
            2,
        );
        suspect(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n",
            2,
        );
        suspect(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\nabc\r\n",
            2,
        );
        suspect(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nt: 1\n\r\n",
            2,
        );
        suspect(
            "GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
            2,
        );
    }

    /// A client could make the gateway keep endless zeros of a chunk's size.
    #[test]
    fn lines_between_chunks_are_bounded() {
        let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        for line in [
            "0".repeat(17),
            format!("0;{}", "x".repeat(CHUNK_LINE_BYTES)),
        ] {
            suspect(&format!("{head}{line}\r\n\r\n"), 2);
        }
        suspect(&format!("{head}0;a\0\r\n\r\n"), 2);
        let mut framing = Framing::default();
        framing.arrived(head.as_bytes());
        assert_eq!(framing.arrived(&[b'0'; CHUNK_LINE_BYTES]), CHUNK_LINE_BYTES);
        assert_eq!(framing.arrived(b"0"), 0);
        assert!(framing.is_broken());
        assert_eq!(framing.partial.len(), CHUNK_LINE_BYTES);
    }

    #[test]
    fn a_request_that_was_not_seen_is_suspect() {
        assert!(framing(b"GET / HTTP/1.1\r\nhost: a\r\n").is_suspect(1));
    }

    #[test]
    fn the_codec_sees_a_broken_body_up_to_its_fault() {
        let sound = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
        for fault in ["x\r\n", "0\r\nt: 1\n", "3\nabc"] {
            let mut framing = Framing::default();
            let last_sound_line = if fault.starts_with('0') { 3 } else { 0 };
            let bytes = format!("{sound}{fault}\r\nGET / HTTP/1.1\r\n\r\n");
            assert_eq!(
                framing.arrived(bytes.as_bytes()),
                sound.len() + last_sound_line
            );
            assert_eq!(framing.arrived(b"more"), 0);
        }
    }

    #[test]
    fn heads_are_noticed_half_way() {
        let head = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let mut framing = Framing::default();
        framing.arrived(&head.as_bytes()[..9]);
        assert!(framing.is_in_head());
        framing.arrived(&head.as_bytes()[9..]);
        assert!(framing.is_between_messages());
    }
}
