//! Lines about `wasi:keyvalue`: `kv.` is 0.2.0-draft, `kv2.` is 0.2.0-draft2.

use crate::show::{self, keyvalue, keyvalue2};
use crate::wasi::keyvalue0_2_0_draft as one;
use crate::wasi::keyvalue0_2_0_draft2 as two;
use crate::{Played, Thing, Things, Words};

fn value(found: Option<Vec<u8>>) -> String {
    found.map_or_else(|| "none".to_owned(), |value| show::bytes(&value))
}

fn done<T>(_: T) -> String {
    "done".to_owned()
}

fn texts(words: &mut Words<'_>) -> Vec<String> {
    words.rest().into_iter().map(str::to_owned).collect()
}

fn pairs(words: &mut Words<'_>) -> Vec<(String, Vec<u8>)> {
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        (key.to_owned(), value.as_bytes().to_vec())
    };
    words.rest().into_iter().map(pair).collect()
}

pub(crate) fn play(things: &mut Things, function: &str, words: &mut Words<'_>) -> Played {
    if function == "open" {
        let bucket = one::store::open(&words.text()?);
        return Ok(keyvalue(bucket, |bucket| things.add(Thing::Bucket(bucket))));
    }
    let Thing::Bucket(bucket) = things.get(words.next()?)? else {
        return Err("that is no bucket of this draft".to_owned());
    };
    Ok(match function {
        "get" => keyvalue(bucket.get(&words.text()?), value),
        "set" => keyvalue(bucket.set(&words.text()?, &words.bytes()?), done),
        "delete" => keyvalue(bucket.delete(&words.text()?), done),
        "exists" => keyvalue(bucket.exists(&words.text()?), |there| there.to_string()),
        "keys" => keyvalue(bucket.list_keys(words.perhaps()?), |page| {
            format!("{} {:?}", page.keys.join(" "), page.cursor)
        }),
        "add" => {
            let sum = one::atomics::increment(bucket, &words.text()?, words.number()?);
            keyvalue(sum, |sum| sum.to_string())
        }
        "get-many" => keyvalue(one::batch::get_many(bucket, &texts(words)), |found| {
            show::list(&found, |found| match found {
                Some((key, value)) => format!("{key}={}", show::bytes(value)),
                None => "none".to_owned(),
            })
        }),
        "set-many" => keyvalue(one::batch::set_many(bucket, &pairs(words)), done),
        "delete-many" => keyvalue(one::batch::delete_many(bucket, &texts(words)), done),
        _ => return Err(format!("there is no function {function}")),
    })
}

pub(crate) fn play2(things: &mut Things, function: &str, words: &mut Words<'_>) -> Played {
    match function {
        "open" => {
            let bucket = two::store::open(&words.text()?);
            Ok(keyvalue2(bucket, |bucket| {
                things.add(Thing::Bucket2(bucket))
            }))
        }
        "cas" | "current" | "swap" => compare(things, function, words),
        _ => bucket2(things, function, words),
    }
}

fn bucket2(things: &Things, function: &str, words: &mut Words<'_>) -> Played {
    let Thing::Bucket2(bucket) = things.get(words.next()?)? else {
        return Err("that is no bucket of this draft".to_owned());
    };
    Ok(match function {
        "get" => keyvalue2(bucket.get(&words.text()?), value),
        "set" => keyvalue2(bucket.set(&words.text()?, &words.bytes()?), done),
        "delete" => keyvalue2(bucket.delete(&words.text()?), done),
        "exists" => keyvalue2(bucket.exists(&words.text()?), |there| there.to_string()),
        "keys" => {
            let cursor: Option<String> = words.perhaps()?;
            keyvalue2(bucket.list_keys(cursor.as_deref()), |page| {
                format!("{} {:?}", page.keys.join(" "), page.cursor)
            })
        }
        "add" => {
            let sum = two::atomics::increment(bucket, &words.text()?, words.number()?);
            keyvalue2(sum, |sum| sum.to_string())
        }
        "get-many" => keyvalue2(two::batch::get_many(bucket, &texts(words)), |found| {
            show::list(&found, |(key, found)| {
                format!("{key}={}", value(found.clone()))
            })
        }),
        "set-many" => keyvalue2(two::batch::set_many(bucket, &pairs(words)), done),
        "delete-many" => keyvalue2(two::batch::delete_many(bucket, &texts(words)), done),
        _ => return Err(format!("there is no function {function}")),
    })
}

fn compare(things: &mut Things, function: &str, words: &mut Words<'_>) -> Played {
    use two::atomics::{Cas, CasError, swap};
    let number = words.next()?;
    Ok(match (function, things.get(number)?) {
        ("cas", Thing::Bucket2(bucket)) => {
            let cas = Cas::new(bucket, &words.text()?);
            keyvalue2(cas, |cas| things.add(Thing::Cas(cas)))
        }
        ("current", Thing::Cas(cas)) => keyvalue2(cas.current(), value),
        ("swap", Thing::Cas(_)) => {
            let Thing::Cas(cas) = things.take(number)? else {
                return Err("that is no such thing".to_owned());
            };
            match swap(cas, &words.bytes()?) {
                Ok(()) => "done".to_owned(),
                Err(CasError::StoreError(error)) => keyvalue2(Err(error), done::<()>),
                Err(CasError::CasFailed(cas)) => {
                    format!("failed {}", things.add(Thing::Cas(cas)))
                }
            }
        }
        _ => return Err("that is no such thing".to_owned()),
    })
}
