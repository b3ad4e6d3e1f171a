//! The head of a response as a command writes it (RFC 3875, section 6): fields, line by line, and an
//! empty line.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use weir_model::limits::functions as of;

use crate::module::calls::final_status;
use crate::module::fetch::field;
use crate::module::is_of_connection;

/// A head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// Why what came is no head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// A line is no field.
    #[error("in the head of its output, line {line}: {reason}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It has none of the fields that make it a response.
    #[error(
        "the head of its output has none of `Content-Type`, `Location` and `Status`: expected one of \
         them, then an empty line, then the body"
    )]
    Bare,
    /// It does not end.
    #[error("the head of its output is longer than {0} bytes: expected fields, then an empty line")]
    TooLong(usize),
    /// The output ended first.
    #[error("its output ended within the head: expected fields, then an empty line")]
    Cut,
}

/// Reads a head that comes in pieces.
#[derive(Default)]
pub(super) struct Reader {
    lines: Lines,
    /// The line that has not ended.
    line: Vec<u8>,
    bytes: usize,
}

impl Reader {
    /// Takes a piece. `Some`: the head is whole, and so many bytes of the piece belong to it.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
        let mut taken = 0;
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            taken += part.len();
            self.bytes += part.len();
            if self.bytes > of::HEAD_BYTES {
                return Err(HeadError::TooLong(of::HEAD_BYTES));
            }
            self.line.extend_from_slice(part);
            let Some(line) = self.line.strip_suffix(b"\n") else {
                return Ok(None);
            };
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                let lines = std::mem::take(&mut self.lines);
                return lines.head().map(|head| Some((head, taken)));
            }
            self.lines.take(line)?;
            self.line.clear();
        }
        Ok(None)
    }

    /// Whether anything has come.
    pub(super) fn has_begun(&self) -> bool {
        self.bytes > 0
    }
}

#[derive(Default)]
struct Lines {
    count: usize,
    status: Option<StatusCode>,
    headers: HeaderMap,
}

impl Lines {
    fn take(&mut self, line: &[u8]) -> Result<(), HeadError> {
        self.count += 1;
        let wrong = |reason| HeadError::Line {
            line: self.count,
            reason,
        };
        let (name, value) = field(line).map_err(wrong)?;
        if name == STATUS {
            let status = status_of(&value).ok_or_else(|| {
                wrong("`Status` is none: expected a number from 200 to 599, and a reason".into())
            })?;
            self.status = Some(status);
        } else if is_of_connection(&name) {
            tracing::debug!(%name, "a field of a function's response was left out: it is about the connection");
        } else {
            self.headers.append(name, value);
        }
        Ok(())
    }

    fn head(self) -> Result<Head, HeadError> {
        let is_redirect = self.headers.contains_key(header::LOCATION);
        let has_type = self.headers.contains_key(header::CONTENT_TYPE);
        if self.status.is_none() && !is_redirect && !has_type {
            return Err(HeadError::Bare);
        }
        let usual = if is_redirect {
            StatusCode::FOUND
        } else {
            StatusCode::OK
        };
        Ok(Head {
            status: self.status.unwrap_or(usual),
            headers: self.headers,
        })
    }
}

const STATUS: HeaderName = HeaderName::from_static("status");

/// A number, and perhaps a reason.
fn status_of(value: &HeaderValue) -> Option<StatusCode> {
    let text = value.to_str().ok()?;
    let number = text.split(' ').next()?;
    if number.len() != 3 {
        return None;
    }
    final_status(number.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(output: &str, expected: Result<Option<(u16, &str)>, &str>) {
        let parsed = Reader::default().take(output.as_bytes());
        let mut reader = Reader::default();
        let mut pieces = output.as_bytes().iter().map(|byte| reader.take(&[*byte]));
        let by_bytes = pieces.find_map(|taken| taken.map(|head| head.map(|_| ())).transpose());
        let whole = match &parsed {
            Ok(head) => Ok(head.as_ref().map(|_| ())),
            Err(error) => Err(error.clone()),
        };
        assert_eq!(by_bytes.transpose(), whole, "{output}");
        let told = match &parsed {
            Ok(Some((head, end))) => Ok(Some((head.status.as_u16(), &output[*end..]))),
            Ok(None) => Ok(None),
            Err(error) => Err(error.to_string()),
        };
        match (&told, expected) {
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (told, expected) => {
                assert_eq!(told.as_ref().ok(), expected.as_ref().ok(), "{told:?}");
            }
        }
    }

    #[test]
    fn heads_are_read_as_far_as_they_came() {
        check("", Ok(None));
        check("Content-Type: a/b\n", Ok(None));
        check(
            "Content-Type: a/b\n\nbody\n\nmore",
            Ok(Some((200, "body\n\nmore"))),
        );
        check("Content-Type: a/b\r\n\r\n", Ok(Some((200, ""))));
        check("Status: 404 Not Found\n\n", Ok(Some((404, ""))));
        check("status:204\n\n", Ok(Some((204, ""))));
        check("Location: /x\n\n", Ok(Some((302, ""))));
        check("Location: /x\nStatus: 308\n\n", Ok(Some((308, ""))));
    }

    #[test]
    fn what_is_no_head_is_explained() {
        check("Hello\n\n", Err("line 1: `Hello` is no header"));
        check("Content-Type: a/b\nHello\n\n", Err("line 2"));
        check("HTTP/1.1 200 OK\n\n", Err("line 1"));
        check("X-Y: z\n\n", Err("none of `Content-Type`"));
        check("\nbody", Err("none of `Content-Type`"));
        check("Status: 99\n\n", Err("`Status` is none"));
        check("Status: 100 Continue\n\n", Err("`Status` is none"));
        check("Status: 2000\n\n", Err("`Status` is none"));
        check(": x\n\n", Err("line 1"));
        check("A b: x\n\n", Err("line 1"));
        let long = format!("X: {}", "x".repeat(of::HEAD_BYTES));
        check(&long, Err("is longer than"));
        check(
            &format!("Content-Type: a/b\n{long}\n\n"),
            Err("is longer than"),
        );
    }

    #[test]
    fn fields_of_the_connection_are_left_out() {
        let parsed =
            Reader::default().take(b"Content-Type: a/b\nConnection: close\nX-Y: 1\nX-Y: 2\n\n");
        let (head, _) = parsed.expect("a head").expect("a whole one");
        assert!(!head.headers.contains_key("connection"));
        assert_eq!(head.headers.get_all("x-y").iter().count(), 2);
    }
}
