//! Messages in their frames (gRPC over HTTP/2, "Length-Prefixed-Message").

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use weir_model::limits::GRPC_MESSAGE_BYTES_MAX;

/// One byte of flags, and the length in network order.
const PREFIX: usize = 5;
/// The only flag there is.
const COMPRESSED: u8 = 1;

/// Why bytes are no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// Compressed, though nobody offered to undo that, or marked as something unknown.
    #[error("a message is marked as compressed, or as something unknown")]
    Flags,
    /// Longer than `GRPC_MESSAGE_BYTES_MAX`.
    #[error("a message is too long")]
    TooLong,
}

/// Puts messages together from pieces. Holds one unfinished message at the most, besides what was
/// pushed last.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: BytesMut,
}

impl Frames {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(&flags) = self.bytes.first() else {
            return Ok(None);
        };
        if flags > COMPRESSED {
            return Err(FrameError::Flags);
        }
        let Some(prefix) = self.bytes.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let [_, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > GRPC_MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong);
        }
        if self.bytes.len() - PREFIX < length {
            return Ok(None);
        }
        // Of an empty message there is nothing to undo (as Envoy has it).
        if flags == COMPRESSED && length > 0 {
            return Err(FrameError::Flags);
        }
        self.bytes.advance(PREFIX);
        Ok(Some(self.bytes.split_to(length).freeze()))
    }
}

/// A message in its frame. It is not longer than `GRPC_MESSAGE_BYTES_MAX`.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All messages, however the bytes are cut, and the error behind them.
    #[track_caller]
    fn check(bytes: &[u8], expected: &[&[u8]], error: Option<FrameError>) {
        for size in 1..=bytes.len().max(1) {
            let mut frames = Frames::default();
            let mut messages = Vec::new();
            let mut failure = None;
            for piece in bytes.chunks(size) {
                frames.push(piece);
                while failure.is_none() {
                    match frames.next() {
                        Ok(Some(message)) => messages.push(message),
                        Ok(None) => break,
                        Err(error) => failure = Some(error),
                    }
                }
            }
            assert_eq!(
                (&*messages, failure),
                (&*as_bytes(expected), error),
                "in pieces of {size}"
            );
        }
    }

    fn as_bytes(messages: &[&[u8]]) -> Vec<Bytes> {
        messages
            .iter()
            .map(|message| Bytes::copy_from_slice(message))
            .collect()
    }

    #[test]
    fn messages_come_whole_in_any_pieces() {
        check(b"", &[], None);
        check(
            b"\0\0\0\0\x03one\0\0\0\0\0\0\0\0\0\x02hi",
            &[b"one", b"", b"hi"],
            None,
        );
        check(b"\0\0\0\0\x03on", &[], None);
        check(b"\0\0\0", &[], None);
    }

    #[test]
    fn marks_that_mean_something_are_refused() {
        check(
            b"\0\0\0\0\x01a\x01\0\0\0\x01b",
            &[b"a"],
            Some(FrameError::Flags),
        );
        check(b"\x80\0\0\0\0", &[], Some(FrameError::Flags));
        check(b"\x04", &[], Some(FrameError::Flags));
        check(b"\x01\0\0\0\0", &[b""], None);
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_waited_for() {
        check(b"\0\xFF\xFF\xFF\xFF", &[], Some(FrameError::TooLong));
        check(b"\0\x02\0\0\x01", &[], Some(FrameError::TooLong));
        check(b"\0\x02\0\0\0", &[], None);
    }

    #[test]
    fn what_is_framed_is_read_back() {
        let long = vec![7; 300];
        check(&[framed(b""), framed(&long)].concat(), &[b"", &long], None);
    }

    #[test]
    fn noise_never_panics() {
        let mut seed = 1_u32;
        for _ in 0..2000 {
            let noise: Vec<u8> = (0..40)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let byte = seed.to_be_bytes()[0];
                    if byte < 0x90 { 0 } else { byte }
                })
                .collect();
            let mut frames = Frames::default();
            for piece in noise.chunks(7) {
                frames.push(piece);
                while let Ok(Some(message)) = frames.next() {
                    assert!(message.len() < noise.len());
                }
            }
        }
    }
}
