//! Body bytes that a filter holds or looks at.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Bytes, BytesMut};

/// Bytes in the order of the body, in as many pieces as they came.
#[derive(Debug, Default)]
pub(crate) struct BodyBuffer {
    pieces: VecDeque<Bytes>,
    length: usize,
}

/// The guest asked to replace bytes in the middle, which Proxy-Wasm hosts refuse.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InTheMiddle;

impl BodyBuffer {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        if !bytes.is_empty() {
            self.pieces.push_back(bytes);
        }
    }

    pub(crate) fn append(&mut self, other: &mut Self) {
        self.length += std::mem::take(&mut other.length);
        self.pieces.append(&mut other.pieces);
    }

    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.length = 0;
    }

    /// Takes the next piece.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let piece = self.pieces.pop_front()?;
        self.length -= piece.len();
        Some(piece)
    }

    /// Makes one piece of all.
    pub(crate) fn join(&mut self) {
        if self.pieces.len() > 1 {
            let mut joined = BytesMut::with_capacity(self.length);
            self.pieces
                .drain(..)
                .for_each(|piece| joined.extend_from_slice(&piece));
            self.pieces.push_back(joined.freeze());
        }
    }

    /// The bytes of `[start, min(start + max, length))`. Joins the pieces if it must.
    pub(crate) fn slice(&mut self, start: usize, max: usize) -> Bytes {
        let start = start.min(self.length);
        let end = start.saturating_add(max).min(self.length);
        self.join();
        self.pieces
            .front()
            .map_or_else(Bytes::new, |piece| piece.slice(start..end))
    }

    /// Replaces bytes with the cases that Proxy-Wasm knows: prepend (0, 0), replace a prefix
    /// (0, n), replace all (0, length or more), append (length or more, anything).
    pub(crate) fn splice(
        &mut self,
        start: usize,
        length: usize,
        bytes: Bytes,
    ) -> Result<(), InTheMiddle> {
        if start >= self.length && start > 0 {
            self.push(bytes);
            return Ok(());
        }
        if start > 0 {
            return Err(InTheMiddle);
        }
        self.drop_front(length);
        self.length += bytes.len();
        if !bytes.is_empty() {
            self.pieces.push_front(bytes);
        }
        Ok(())
    }

    /// Makes slices of the first pieces, as many as there is room for, and says of how many.
    pub(crate) fn slices<'b>(&'b self, room: &mut [IoSlice<'b>]) -> usize {
        let pairs = room.iter_mut().zip(&self.pieces);
        pairs
            .map(|(slot, piece)| *slot = IoSlice::new(piece))
            .count()
    }

    /// Takes bytes off the front.
    pub(crate) fn drop_front(&mut self, mut count: usize) {
        while count > 0
            && let Some(mut piece) = self.pieces.pop_front()
        {
            let cut = count.min(piece.len());
            let rest = piece.split_off(cut);
            self.length -= cut;
            count -= cut;
            if !rest.is_empty() {
                self.pieces.push_front(rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(start: usize, length: usize, text: &'static str, expected: Option<&str>) {
        let mut body = BodyBuffer::default();
        body.push(Bytes::from_static(b"abc"));
        body.push(Bytes::from_static(b"def"));
        let outcome = body.splice(start, length, Bytes::from_static(text.as_bytes()));
        assert_eq!(outcome.is_ok(), expected.is_some());
        let whole = body.slice(0, usize::MAX);
        assert_eq!(whole, expected.unwrap_or("abcdef"));
        assert_eq!(whole.len(), body.len());
    }

    #[test]
    fn splicing_knows_the_five_cases() {
        check(0, 0, "X", Some("Xabcdef"));
        check(0, 4, "X", Some("Xef"));
        check(0, 6, "X", Some("X"));
        check(0, usize::MAX, "", Some(""));
        check(6, 0, "X", Some("abcdefX"));
        check(usize::MAX, 0, "X", Some("abcdefX"));
        check(3, 1, "X", None);
    }

    #[test]
    fn slices_are_clamped() {
        let mut body = BodyBuffer::default();
        body.push(Bytes::from_static(b"abc"));
        body.push(Bytes::from_static(b"def"));
        assert_eq!(body.slice(2, 3), "cde");
        assert_eq!(body.slice(6, 3), "");
        assert_eq!(body.slice(9, 3), "");
        assert_eq!(body.slice(1, usize::MAX), "bcdef");
    }
}
