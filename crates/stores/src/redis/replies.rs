//! What servers answer, as results. Whatever does not look as it must is an error, never a guess.

use bytes::Bytes;
use redis::Value as Reply;
use weir_maps::store::{Counted, Found, Item};
use weir_maps::{MapError, Value};

use super::script::Common;

/// Version and end, before the value of a record.
const HEAD_BYTES: usize = 16;

/// An entry as it is stored.
pub(super) struct Record {
    pub(super) found: Found,
    /// The moment at which it ends, of the server's clock; 0: it stays.
    pub(super) ends_ms: u64,
}

/// What a script answered, without the number that says that it was done.
pub(super) fn done(reply: Reply, common: &Common) -> Result<Vec<Reply>, MapError> {
    let Reply::Array(mut parts) = reply else {
        return Err(strange());
    };
    if parts.is_empty() {
        return Err(strange());
    }
    let code = number(&parts.remove(0))?;
    let first = || parts.first().map_or(Err(strange()), number);
    match code {
        0 => Ok(parts),
        1 => Err(MapError::Again { current: first()? }),
        2 => Err(MapError::NoEntry),
        3 => Err(MapError::NoSpace {
            what: "entries of this map",
            max: common.entries_max,
        }),
        4 => Err(MapError::NoSpace {
            what: "bytes of this map",
            max: common.bytes_max,
        }),
        5 => Err(MapError::Overflow { needed: 0 }),
        6 => Err(MapError::Invalid("the entry is no counter of 8 bytes")),
        _ => Err(strange()),
    }
}

/// A reply that must be there.
pub(super) fn at(parts: &[Reply], index: usize) -> Result<&Reply, MapError> {
    parts.get(index).ok_or_else(strange)
}

/// A number that is not negative.
pub(super) fn number(reply: &Reply) -> Result<u64, MapError> {
    match reply {
        Reply::Int(number) => u64::try_from(*number).map_err(|_| strange()),
        _ => Err(strange()),
    }
}

/// A counter: version and 8 bytes.
pub(super) fn counted(version: &Reply, value: &Reply) -> Result<Counted, MapError> {
    let Reply::BulkString(bytes) = value else {
        return Err(strange());
    };
    let bytes = bytes.as_slice().try_into().map_err(|_| strange())?;
    Ok(Counted {
        value: i64::from_le_bytes(bytes),
        version: number(version)?,
    })
}

/// An entry, and its end.
pub(super) fn record(bytes: Vec<u8>) -> Result<Record, MapError> {
    let bytes = Bytes::from(bytes);
    let (head, _) = bytes
        .split_first_chunk::<HEAD_BYTES>()
        .ok_or_else(strange)?;
    let (version, ends) = head.split_at(8);
    let read = |bytes: &[u8]| {
        let bytes = bytes.try_into().map(u64::from_le_bytes);
        bytes.map_err(|_| strange())
    };
    Ok(Record {
        found: Found {
            version: read(version)?,
            value: Value::from(bytes.slice(HEAD_BYTES..)),
        },
        ends_ms: read(ends)?,
    })
}

/// What `TIME` and `HGET` answered: the entry, if its time was not up before it was looked for.
pub(super) fn found(reply: Reply) -> Result<Option<Found>, MapError> {
    let Reply::Array(parts) = reply else {
        return Err(strange());
    };
    let mut parts = parts.into_iter();
    let (Some(Reply::Array(time)), Some(entry)) = (parts.next(), parts.next()) else {
        return Err(strange());
    };
    let bytes = match entry {
        Reply::Nil => return Ok(None),
        Reply::BulkString(bytes) => bytes,
        _ => return Err(strange()),
    };
    let record = record(bytes)?;
    let now_ms = text_number(at(&time, 0)?)? * 1000 + text_number(at(&time, 1)?)? / 1000;
    let lives = record.ends_ms == 0 || record.ends_ms > now_ms;
    Ok(lives.then_some(record.found))
}

/// A page's entries.
pub(super) fn items(parts: &mut Vec<Reply>) -> Result<Vec<Item>, MapError> {
    let mut items = Vec::with_capacity(parts.len() / 2);
    let mut parts = parts.drain(..);
    while let Some(key) = parts.next() {
        let (Reply::BulkString(key), Some(Reply::BulkString(bytes))) = (key, parts.next()) else {
            return Err(strange());
        };
        let found = record(bytes)?.found;
        items.push(Item {
            key: key.into(),
            value: found.value,
            version: found.version,
        });
    }
    Ok(items)
}

/// `TIME` answers with text.
fn text_number(reply: &Reply) -> Result<u64, MapError> {
    let Reply::BulkString(text) = reply else {
        return Err(strange());
    };
    let text = std::str::from_utf8(text).map_err(|_| strange())?;
    // Seconds and microseconds: a thousand times as much still fits.
    let number = text.parse::<u64>().ok().filter(|it| *it < u64::MAX / 2000);
    number.ok_or_else(strange)
}

/// A reply that no script of ours gives.
pub(super) fn strange() -> MapError {
    MapError::Io("the server's answer is not one of this back end's scripts".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: Common = Common {
        entries_max: 3,
        bytes_max: 1000,
        ttl_ms: 0,
        publish: "PUBLISH",
    };

    fn text(text: &str) -> Reply {
        Reply::BulkString(text.as_bytes().to_vec())
    }

    fn entry(ends_ms: u64) -> Reply {
        let bytes = [&7_u64.to_le_bytes()[..], &ends_ms.to_le_bytes(), b"value"];
        Reply::BulkString(bytes.concat())
    }

    #[test]
    fn an_entry_is_there_until_its_time_is_up() {
        let asked = |entry| {
            let time = Reply::Array(vec![text("1700000000"), text("123456")]);
            found(Reply::Array(vec![time, entry])).map(|found| found.map(|found| found.version))
        };
        assert_eq!(asked(Reply::Nil), Ok(None));
        assert_eq!(asked(entry(0)), Ok(Some(7)));
        assert_eq!(asked(entry(1_700_000_000_124)), Ok(Some(7)));
        assert_eq!(asked(entry(1_700_000_000_123)), Ok(None));
        assert!(asked(text("too short")).is_err());
        assert!(asked(Reply::Int(1)).is_err());
    }

    #[test]
    fn strange_replies_are_errors() {
        let time = |seconds| Reply::Array(vec![text(seconds), text("0")]);
        let strange = [
            Reply::Nil,
            Reply::Int(0),
            text("OK"),
            Reply::Array(vec![]),
            Reply::Array(vec![Reply::Nil, entry(0)]),
            Reply::Array(vec![time("-1"), entry(0)]),
            Reply::Array(vec![time("18446744073709551615"), entry(0)]),
            Reply::Array(vec![time("now"), entry(0)]),
            Reply::Array(vec![Reply::Array(vec![]), entry(0)]),
            Reply::Array(vec![Reply::Int(1)]),
            Reply::Array(vec![Reply::Int(99)]),
            Reply::Array(vec![Reply::Int(-1)]),
        ];
        for reply in strange {
            assert!(done(reply.clone(), &COMMON).is_err(), "{reply:?}");
            assert!(found(reply.clone()).is_err(), "{reply:?}");
            assert!(items(&mut vec![reply.clone()]).is_err(), "{reply:?}");
            assert!(counted(&reply, &reply).is_err(), "{reply:?}");
        }
        assert!(items(&mut vec![text("key"), text("short")]).is_err());
        assert!(counted(&Reply::Int(1), &text("1234567")).is_err());
        let full = Reply::Array(vec![Reply::Int(3)]);
        let refused = done(full, &COMMON).map(drop);
        assert_eq!(refused.map_err(|error| error.errno()), Err(51));
    }
}
