//! Which commands of plugins go out: those that a Redis answers with exactly one reply.
//!
//! A connection is shared, so a command must neither shift the replies behind it nor change what
//! the connection is to others.

use super::frame::{Length, length};

/// Commands with no reply, several replies, or an effect on the connection itself.
const KEPT_BACK: [&str; 19] = [
    "AUTH",
    "CLIENT",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "REPLCONF",
    "RESET",
    "SELECT",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SYNC",
    "UNSUBSCRIBE",
];
/// Elements of one command (as Redis).
const ELEMENTS_MAX: usize = 1 << 20;
/// Bytes of one element (as Redis's `proto-max-bulk-len`).
const ELEMENT_BYTES_MAX: usize = 512 << 20;

/// Why a command does not go out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It would shift all replies behind it.
    #[error("it is not one RESP array of bulk strings: wrong at byte {at}")]
    Malformed {
        /// Where reading stopped.
        at: usize,
    },
    /// It is not for a connection that plugins share.
    #[error("{0} is not for a connection that plugins share")]
    KeptBack(&'static str),
}

/// Checks that `query` is one command that has one reply.
///
/// # Errors
///
/// [`Refusal`].
pub(crate) fn vet(query: &[u8]) -> Result<(), Refusal> {
    let (elements, mut at) = header(query, 0, b'*')?;
    if elements == 0 || elements > ELEMENTS_MAX {
        return Err(Refusal::Malformed { at: 0 });
    }
    for index in 0..elements {
        let start = at;
        let (length, from) = header(query, at, b'$')?;
        let malformed = Refusal::Malformed { at: start };
        if length > ELEMENT_BYTES_MAX {
            return Err(malformed);
        }
        let element = query.get(from..from + length).ok_or(malformed)?;
        at = from + length + 2;
        if query.get(from + length..at) != Some(b"\r\n") {
            return Err(Refusal::Malformed { at: from + length });
        }
        if index == 0 {
            may_go_out(element)?;
        }
    }
    if at == query.len() {
        Ok(())
    } else {
        Err(Refusal::Malformed { at })
    }
}

fn may_go_out(name: &[u8]) -> Result<(), Refusal> {
    let kept = KEPT_BACK
        .into_iter()
        .find(|kept| name.eq_ignore_ascii_case(kept.as_bytes()));
    kept.map_or(Ok(()), |kept| Err(Refusal::KeptBack(kept)))
}

/// The count in a line of this kind, and where the line ends.
fn header(query: &[u8], at: usize, kind: u8) -> Result<(usize, usize), Refusal> {
    let read = || {
        let rest = query.get(at..)?;
        let end = memchr::memchr(b'\n', rest)?;
        let line = rest[..end].strip_suffix(b"\r")?.strip_prefix(&[kind])?;
        match length(line)? {
            Length::Null => None,
            Length::Of(length) => Some((length, at + end + 1)),
        }
    };
    read().ok_or(Refusal::Malformed { at })
}
