//! Where a reply ends (RESP 2): its bytes go to the guest as they are, so nothing is decoded.
//!
//! A reply may come in any pieces, and nested as deep as it likes: one number is kept instead of a
//! stack, and no byte of a complete value is looked at twice.

use weir_model::limits;

/// Bytes that are no RESP 2, or a reply beyond [`limits::REDIS_REPLY_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    #[error("byte {at} of the reply is not RESP 2")]
    Malformed { at: usize },
    #[error("the reply is larger than {} bytes", limits::REDIS_REPLY_BYTES_MAX)]
    TooLarge,
}

/// Finds the end of the reply at the front of a buffer that grows.
#[derive(Debug)]
pub(super) struct Scanner {
    /// The values before here are complete.
    at: usize,
    /// Values that are still to come.
    due: usize,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { at: 0, due: 1 }
    }
}

impl Scanner {
    /// Looks on. `bytes` holds the reply from its first byte. Returns its length once all of it is
    /// there, and then begins with the next reply.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        while self.due > 0 {
            let Some(Line { kind, text, end }) = line(bytes, self.at)? else {
                return within_limit(bytes.len()).map(|()| None);
            };
            let malformed = FrameError::Malformed { at: self.at };
            let next = match kind {
                b'+' | b'-' => end,
                b':' => {
                    number(text).ok_or(malformed)?;
                    end
                }
                b'$' => match length(text).ok_or(malformed)? {
                    Length::Null => end,
                    Length::Of(length) => {
                        within_limit(end.saturating_add(length))?;
                        let Some(tail) = bytes.get(end + length..end + length + 2) else {
                            return Ok(None);
                        };
                        if tail != b"\r\n" {
                            return Err(FrameError::Malformed { at: end + length });
                        }
                        end + length + 2
                    }
                },
                b'*' => {
                    let more = match length(text).ok_or(malformed)? {
                        Length::Null => 0,
                        Length::Of(more) => more,
                    };
                    // No value has less than three bytes.
                    within_limit(more.saturating_mul(3))?;
                    self.due += more;
                    end
                }
                _ => return Err(malformed),
            };
            self.at = next;
            self.due -= 1;
        }
        let end = std::mem::take(self).at;
        within_limit(end).map(|()| Some(end))
    }
}

/// A line: its first byte, the rest of it, and where the next one begins.
struct Line<'b> {
    kind: u8,
    text: &'b [u8],
    end: usize,
}

/// What a value says about its length.
pub(super) enum Length {
    /// There is no value.
    Null,
    Of(usize),
}

/// The line at `at`; `None`: it is not all there.
fn line(bytes: &[u8], at: usize) -> Result<Option<Line<'_>>, FrameError> {
    let rest = &bytes[at..];
    let Some(length) = memchr::memchr(b'\n', rest) else {
        return if rest.len() > limits::REDIS_LINE_BYTES_MAX {
            Err(FrameError::Malformed { at })
        } else {
            Ok(None)
        };
    };
    match rest[..length].split_first() {
        Some((kind, [text @ .., b'\r'])) => Ok(Some(Line {
            kind: *kind,
            text,
            end: at + length + 1,
        })),
        Some(_) | None => Err(FrameError::Malformed { at }),
    }
}

fn within_limit(bytes: usize) -> Result<(), FrameError> {
    if bytes <= limits::REDIS_REPLY_BYTES_MAX {
        Ok(())
    } else {
        Err(FrameError::TooLarge)
    }
}

/// A length as it is written; `None`: it is none.
pub(super) fn length(text: &[u8]) -> Option<Length> {
    if text == b"-1" {
        return Some(Length::Null);
    }
    let length = number(text)?;
    usize::try_from(length).ok().map(Length::Of)
}

/// A decimal number in the one form that Redis itself takes: without sign `+` or leading zeros.
fn number(line: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(line).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_canonical = digits.bytes().all(|digit| digit.is_ascii_digit())
        && (!digits.starts_with('0') || text == "0");
    text.parse().ok().filter(|_| is_canonical)
}
