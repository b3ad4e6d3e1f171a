//! What is told of things, as text.

use std::fmt::Write;

use crate::wasi::keyvalue0_2_0_draft::store::Error as KeyValueError;
use crate::wasi::keyvalue0_2_0_draft2::store::Error as KeyValueError2;
use crate::wasi_map::map::types::{Change, Content, Error, Item, Outcome};

pub(crate) fn done<T>(result: Result<T, Error>) -> String {
    told(result, |_| "done".to_owned())
}

pub(crate) fn told<T>(result: Result<T, Error>, show: impl FnOnce(T) -> String) -> String {
    result.map_or_else(|error| refused(&error), show)
}

pub(crate) fn refused(error: &Error) -> String {
    match error {
        Error::Again(version) => format!("error again {version}"),
        Error::Invalid => "error invalid".to_owned(),
        Error::Io => "error io".to_owned(),
        Error::NameTooLong => "error name-too-long".to_owned(),
        Error::NoEntry => "error no-entry".to_owned(),
        Error::NoMemory => "error no-memory".to_owned(),
        Error::NoSpace => "error no-space".to_owned(),
        Error::NotSupported => "error not-supported".to_owned(),
        Error::Overflow(needed) => format!("error overflow {needed}"),
        Error::Stale => "error stale".to_owned(),
        Error::TimedOut => "error timed-out".to_owned(),
        Error::NotCapable => "error not-capable".to_owned(),
    }
}

pub(crate) fn keyvalue<T>(
    result: Result<T, KeyValueError>,
    show: impl FnOnce(T) -> String,
) -> String {
    match result {
        Ok(given) => show(given),
        Err(KeyValueError::NoSuchStore) => "error no-such-store".to_owned(),
        Err(KeyValueError::AccessDenied) => "error access-denied".to_owned(),
        Err(KeyValueError::Other(text)) => format!("error other {text}"),
    }
}

pub(crate) fn keyvalue2<T>(
    result: Result<T, KeyValueError2>,
    show: impl FnOnce(T) -> String,
) -> String {
    keyvalue(result.map_err(same), show)
}

pub(crate) fn same(error: KeyValueError2) -> KeyValueError {
    match error {
        KeyValueError2::NoSuchStore => KeyValueError::NoSuchStore,
        KeyValueError2::AccessDenied => KeyValueError::AccessDenied,
        KeyValueError2::Other(text) => KeyValueError::Other(text),
    }
}

pub(crate) fn bytes(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Each is followed by a space but the last one.
pub(crate) fn list<T>(things: &[T], show: impl Fn(&T) -> String) -> String {
    let shown: Vec<_> = things.iter().map(show).collect();
    shown.join(" ")
}

pub(crate) fn item(item: &Item) -> String {
    let mut text = bytes(&item.key);
    match &item.content {
        Content::Bytes(value) => write!(text, "={}", bytes(value)).unwrap_or_default(),
        Content::Map => text.push_str("=>map"),
        Content::Region => text.push_str("=>region"),
    }
    text
}

pub(crate) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Checked(version) => format!("checked:{version}"),
        Outcome::Stored(version) => format!("stored:{version}"),
        Outcome::Deleted(was_there) => format!("deleted:{was_there}"),
        Outcome::Counted((sum, _)) => format!("counted:{sum}"),
    }
}

pub(crate) fn change(change: &Change) -> String {
    match change {
        Change::Stored(changed) => format!("stored:{}", bytes(&changed.key)),
        Change::Deleted(changed) => format!("deleted:{}", bytes(&changed.key)),
        Change::Ended(changed) => format!("ended:{}", bytes(&changed.key)),
        Change::Evicted(changed) => format!("evicted:{}", bytes(&changed.key)),
        Change::Cleared => "cleared".to_owned(),
        Change::Resync => "resync".to_owned(),
        Change::Gone => "gone".to_owned(),
    }
}
