//! Operations that ask all parts of a map that is spread over slots.

use bytes::Bytes;
use futures_util::future::join_all;
use redis::Value as Reply;
use weir_maps::store::{Item, Page, Range, Stat};
use weir_maps::{Answer, MapError};
use weir_model::limits::redis as limits;

use super::{RedisStore, entries_of, packed};
use crate::redis::{replies, script};

/// What one part has of a page.
struct Share {
    items: Vec<Item>,
    rest: Rest,
}

/// What a part has after that.
enum Rest {
    Nothing,
    /// Some entries.
    More,
    /// First this entry, which needs so many bytes and fits no page.
    TooLarge(usize, Bytes),
}

pub(super) fn scan(store: &RedisStore, range: Range<'_>) -> Answer<Page> {
    let entries = entries_of(&range);
    if entries == 0 {
        return Answer::Now(Ok(Page {
            items: vec![],
            more: true,
        }));
    }
    let bytes = range.bytes.min(limits::PAGE_BYTES_MAX);
    let (from, to) = bounds(&range);
    let common = store.core.common;
    let parts = 0..store.core.parts.len();
    let asked: Vec<_> = parts
        .map(|part| {
            let request = store.core.run(&script::SCAN, part);
            let request = request
                .with(&from[..])
                .with(&to[..])
                .with(entries)
                .with(bytes);
            store.link.send(&store.core, part, request)
        })
        .collect();
    Answer::Later(Box::pin(async move {
        let mut shares = Vec::with_capacity(asked.len());
        for reply in join_all(asked).await {
            shares.push(share(replies::done(reply?, &common)?)?);
        }
        merge(shares, entries, bytes)
    }))
}

fn share(mut parts: Vec<Reply>) -> Result<Share, MapError> {
    let code = replies::number(replies::at(&parts, 0)?)?;
    let rest = match code {
        0 => Rest::Nothing,
        1 => Rest::More,
        _ => {
            let needed = replies::number(replies::at(&parts, 1)?)?;
            let needed = usize::try_from(needed).map_err(|_| replies::strange())?;
            let Some(Reply::BulkString(key)) = parts.pop() else {
                return Err(replies::strange());
            };
            parts.truncate(1);
            Rest::TooLarge(needed, key.into())
        }
    };
    parts.remove(0);
    Ok(Share {
        items: replies::items(&mut parts)?,
        rest,
    })
}

/// The first entries of all parts. Beyond the last entry of a part that has more nothing is known.
fn merge(shares: Vec<Share>, entries: usize, bytes: usize) -> Result<Page, MapError> {
    let mut more = false;
    let mut last: Option<Bytes> = None;
    let mut too_large: Option<(Bytes, usize)> = None;
    let mut items = vec![];
    for share in shares {
        match share.rest {
            Rest::Nothing => {}
            Rest::More => {
                more = true;
                let end = share.items.last().map(|item| item.key.clone());
                last = last.into_iter().chain(end).min();
            }
            Rest::TooLarge(needed, key) => {
                more = true;
                too_large = too_large.into_iter().chain([(key, needed)]).min();
            }
        }
        items.extend(share.items);
    }
    items.sort_unstable_by(|one: &Item, other| one.key.cmp(&other.key));
    let all = items.len();
    items.retain(|item| {
        last.as_ref().is_none_or(|last| item.key <= *last)
            && too_large.as_ref().is_none_or(|(key, _)| item.key < *key)
    });
    if let (true, Some((_, needed))) = (items.is_empty(), too_large) {
        return Err(MapError::Overflow { needed });
    }
    items.truncate(entries);
    let mut used = 0_usize;
    let fitting = items.iter().take_while(|item| {
        used = used.saturating_add(packed(item));
        used <= bytes
    });
    let fitting = fitting.count();
    items.truncate(fitting);
    more |= items.len() < all;
    Ok(Page { items, more })
}

/// The range of keys, as `ZRANGEBYLEX` takes it.
fn bounds(range: &Range<'_>) -> (Vec<u8>, Vec<u8>) {
    let from = match range.after {
        Some(after) if after >= range.prefix => [b"(", after].concat(),
        _ => [b"[", range.prefix].concat(),
    };
    // The first key behind all with this prefix: the last byte that can grow does.
    let ends = range.prefix.iter().rposition(|byte| *byte != u8::MAX);
    let to = ends.map_or_else(
        || b"+".to_vec(),
        |last| {
            let mut to = [b"(", &range.prefix[..=last]].concat();
            to[last + 1] += 1;
            to
        },
    );
    (from, to)
}

pub(super) fn stat(store: &RedisStore) -> Answer<Stat> {
    let core = &store.core;
    let common = core.common;
    let here = core.stat();
    let asked: Vec<_> = (0..core.parts.len())
        .map(|part| store.link.send(core, part, core.run(&script::STAT, part)))
        .collect();
    Answer::Later(Box::pin(async move {
        let mut stat = here;
        for reply in join_all(asked).await {
            let parts = replies::done(reply?, &common)?;
            stat.entries += replies::number(replies::at(&parts, 0)?)?;
            stat.bytes += replies::number(replies::at(&parts, 1)?)?;
            stat.version = stat.version.max(replies::number(replies::at(&parts, 2)?)?);
        }
        Ok(stat)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_maps::Value;

    fn item(key: &'static str) -> Item {
        Item {
            key: key.into(),
            value: Value::copy_of(b"x"),
            version: 1,
        }
    }

    fn share(keys: &[&'static str], rest: Rest) -> Share {
        Share {
            items: keys.iter().map(|key| item(key)).collect(),
            rest,
        }
    }

    /// The keys of a page of at most 9 entries and 900 bytes, and whether there is more.
    fn merged(shares: Vec<Share>, entries: usize, bytes: usize) -> (String, bool) {
        let page = merge(shares, entries, bytes).expect("it fits");
        let keys: Vec<u8> = page
            .items
            .iter()
            .flat_map(|item| item.key.to_vec())
            .collect();
        (String::from_utf8(keys).expect("it is text"), page.more)
    }

    #[test]
    fn parts_are_merged_as_far_as_all_are_known() {
        let two = |rest| vec![share(&["a", "e"], rest), share(&["b", "f"], Rest::Nothing)];
        assert_eq!(merged(two(Rest::More), 9, 900), ("abe".into(), true));
        assert_eq!(merged(two(Rest::Nothing), 9, 900), ("abef".into(), false));
        assert_eq!(merged(two(Rest::Nothing), 2, 900), ("ab".into(), true));
        assert_eq!(merged(two(Rest::Nothing), 9, 50), ("ab".into(), true));
    }

    #[test]
    fn an_entry_that_fits_no_page_is_said_when_it_is_next() {
        let large = || share(&[], Rest::TooLarge(1000, "c".into()));
        let page = merged(vec![large(), share(&["a", "d"], Rest::Nothing)], 9, 900);
        assert_eq!(page, ("a".into(), true));
        let page = merge(vec![large(), share(&["d"], Rest::Nothing)], 9, 900);
        assert_eq!(page, Err(MapError::Overflow { needed: 1000 }));
    }

    #[test]
    fn a_prefix_ends_where_the_next_one_begins() {
        let range = |prefix, after| Range {
            prefix,
            after,
            entries: 1,
            bytes: 1,
        };
        let plain = bounds(&range(b"ab", None));
        assert_eq!(plain, (b"[ab".to_vec(), b"(ac".to_vec()));
        let high = bounds(&range(b"a\xff", Some(b"a\xff1")));
        assert_eq!(high, (b"(a\xff1".to_vec(), b"(b".to_vec()));
        let all = bounds(&range(b"\xff", Some(b"a")));
        assert_eq!(all, (b"[\xff".to_vec(), b"+".to_vec()));
    }
}
