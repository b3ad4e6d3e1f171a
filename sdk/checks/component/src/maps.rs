//! Lines about `wasi-map:map`.

use crate::show;
use crate::wasi_map::map::maps::{Map, Scanner, Watcher};
use crate::wasi_map::map::regions;
use crate::wasi_map::map::types::{Condition, Eviction, Operation, Options, Rights, Terms};
use crate::{Played, Thing, Things, Words};

pub(crate) fn play(things: &mut Things, function: &str, words: &mut Words<'_>) -> Played {
    match function {
        "open" | "create" | "accept" | "dup" | "get-map" => gives(things, function, words),
        "scan" | "watch" | "next" | "changes" | "subscribe" | "ready" | "block" => {
            follows(things, function, words)
        }
        "lend" | "transfer" | "drop" => moves(things, function, words),
        "region-create" | "region-length" | "region-read" | "region-write" | "region-hand" => {
            copies(things, function, words)
        }
        "batch" => batch(things, words),
        _ => entry(things, function, words),
    }
}

fn map<'t>(things: &'t Things, words: &mut Words<'_>) -> Result<&'t Map, String> {
    match things.get(words.next()?)? {
        Thing::Map(map) => Ok(map),
        _ => Err("that is no map".to_owned()),
    }
}

fn scanner<'t>(things: &'t Things, words: &mut Words<'_>) -> Result<&'t Scanner, String> {
    match things.get(words.next()?)? {
        Thing::Scanner(scanner) => Ok(scanner),
        _ => Err("that is no scanner".to_owned()),
    }
}

fn watcher<'t>(things: &'t Things, words: &mut Words<'_>) -> Result<&'t Watcher, String> {
    match things.get(words.next()?)? {
        Thing::Watcher(watcher) => Ok(watcher),
        _ => Err("that is no watcher".to_owned()),
    }
}

fn rights(words: &mut Words<'_>) -> Result<Rights, String> {
    let bits: u32 = words.number()?;
    let flags = [
        Rights::READ,
        Rights::WRITE,
        Rights::DELETE,
        Rights::LIST,
        Rights::WATCH,
        Rights::CREATE,
        Rights::SHARE,
        Rights::MAP_READ,
        Rights::MAP_WRITE,
        Rights::CLEAR,
    ];
    let places = flags.into_iter().enumerate();
    let asked = places.filter(|(place, _)| bits >> place & 1 == 1);
    Ok(asked.fold(Rights::empty(), |rights, (_, flag)| rights | flag))
}

/// Functions that give a map.
fn gives(things: &mut Things, function: &str, words: &mut Words<'_>) -> Played {
    let given = match function {
        "open" => Map::open(&words.text()?, rights(words)?),
        "create" => Map::create(Options {
            entries: words.perhaps()?,
            bytes: words.perhaps()?,
            value_bytes: words.perhaps()?,
            ttl_ms: words.perhaps()?,
            eviction: match words.next()? {
                "lru" => Eviction::Lru,
                _ => Eviction::Refuse,
            },
        }),
        "accept" => Map::accept((words.number()?, words.number()?)),
        "dup" => map(things, words)?.dup(rights(words)?),
        _ => map(things, words)?.get_map(&words.bytes()?),
    };
    Ok(show::told(given, |map| things.add(Thing::Map(map))))
}

/// Functions that end something here.
fn moves(things: &mut Things, function: &str, words: &mut Words<'_>) -> Played {
    let ticket = |(low, high)| format!("{low} {high}");
    if function == "lend" {
        let lent = map(things, words)?.lend(rights(words)?, &words.text()?);
        return Ok(show::told(lent, ticket));
    }
    let thing = things.take(words.next()?)?;
    if function == "drop" {
        drop(thing);
        return Ok("done".to_owned());
    }
    let Thing::Map(map) = thing else {
        return Err("that is no map".to_owned());
    };
    Ok(match Map::transfer(map, &words.text()?) {
        Ok(given) => ticket(given),
        Err(kept) => {
            let number = things.add(Thing::Map(kept.map));
            format!("{} kept {number}", show::refused(&kept.error))
        }
    })
}

fn entry(things: &Things, function: &str, words: &mut Words<'_>) -> Played {
    let map_of = map(things, words)?;
    let number = |number: u64| number.to_string();
    Ok(match function {
        "rights" => show::told(map_of.rights(), |rights| rights.bits().to_string()),
        "id" => show::told(map_of.id(), |_| "an id".to_owned()),
        "stat" => show::told(map_of.stat(), |stat| {
            format!("entries:{} named:{}", stat.entries, stat.is_named)
        }),
        "get" => show::told(map_of.get(&words.bytes()?), |found| match found {
            Some(entry) => format!("{}@{}", show::bytes(&entry.value), entry.version),
            None => "none".to_owned(),
        }),
        "set" => show::done(map_of.set(&words.bytes()?, &words.bytes()?)),
        "set-with" => {
            let (key, value) = (words.bytes()?, words.bytes()?);
            let terms = Terms {
                condition: condition(words.next()?)?,
                ttl_ms: words.perhaps()?,
            };
            show::told(map_of.set_with(&key, &value, terms), number)
        }
        "delete" => show::done(map_of.delete(&words.bytes()?)),
        "exists" => show::told(map_of.exists(&words.bytes()?), |there| there.to_string()),
        "swap" => {
            let (key, expected, value) = (words.bytes()?, words.number()?, words.bytes()?);
            show::told(map_of.compare_and_swap(&key, expected, &value), number)
        }
        "add" => {
            let sum = map_of.increment(&words.bytes()?, words.number()?);
            show::told(sum, |sum| sum.to_string())
        }
        "clear" => show::done(map_of.clear()),
        "put-map" => {
            let key = words.bytes()?;
            show::done(map_of.put_map(&key, map(things, words)?))
        }
        _ => return Err(format!("there is no function {function}")),
    })
}

fn condition(word: &str) -> Result<Condition, String> {
    Ok(match word {
        "always" => Condition::Always,
        "absent" => Condition::Absent,
        version => Condition::Version(version.parse().map_err(|_| "no version".to_owned())?),
    })
}

/// Scans and watches.
fn follows(things: &mut Things, function: &str, words: &mut Words<'_>) -> Played {
    Ok(match function {
        "scan" => {
            let scanner = map(things, words)?.scan(&words.bytes()?);
            show::told(scanner, |scanner| things.add(Thing::Scanner(scanner)))
        }
        "watch" => {
            let watcher = map(things, words)?.watch(&words.bytes()?);
            show::told(watcher, |watcher| things.add(Thing::Watcher(watcher)))
        }
        "next" => {
            let items = scanner(things, words)?.next(words.number()?);
            show::told(items, |items| show::list(&items, show::item))
        }
        "changes" => {
            let changes = watcher(things, words)?.next(words.number()?);
            show::told(changes, |changes| show::list(&changes, show::change))
        }
        "subscribe" => {
            let pollable = watcher(things, words)?.subscribe();
            things.add(Thing::Pollable(pollable))
        }
        _ => {
            let Thing::Pollable(pollable) = things.get(words.next()?)? else {
                return Err("that is no pollable".to_owned());
            };
            if function == "block" {
                pollable.block();
            }
            pollable.ready().to_string()
        }
    })
}

fn copies(things: &Things, function: &str, words: &mut Words<'_>) -> Played {
    let (map_of, key) = (map(things, words)?, words.bytes()?);
    Ok(match function {
        "region-create" => show::done(regions::create(map_of, &key, words.number()?)),
        "region-length" => show::told(regions::length(map_of, &key), |bytes| bytes.to_string()),
        "region-read" => {
            let read = regions::read(map_of, &key, words.number()?, words.number()?);
            show::told(read, |read| show::bytes(&read))
        }
        "region-write" => show::done(regions::write(
            map_of,
            &key,
            words.number()?,
            &words.bytes()?,
        )),
        _ => {
            let to = map(things, words)?;
            show::done(regions::hand_on(map_of, &key, to, &words.bytes()?))
        }
    })
}

/// `check:KEY:CONDITION`, `set:KEY:VALUE:CONDITION:TTL`, `delete:KEY`, `add:KEY:DELTA`; `*N` behind one
/// repeats it.
fn batch(things: &Things, words: &mut Words<'_>) -> Played {
    let map_of = map(things, words)?;
    let mut operations = Vec::new();
    for word in words.rest() {
        let (word, times) = word.split_once('*').unwrap_or((word, "1"));
        for _ in 0..times.parse().unwrap_or(1) {
            operations.push(operation(word)?);
        }
    }
    let outcomes = map_of.batch(&operations);
    Ok(show::told(outcomes, |outcomes| {
        show::list(&outcomes, show::outcome)
    }))
}

fn operation(word: &str) -> Result<Operation, String> {
    let parts: Vec<_> = word.split(':').collect();
    let bytes = |part: &str| part.as_bytes().to_vec();
    Ok(match parts.as_slice() {
        ["check", key, holds] => Operation::Check((bytes(key), condition(holds)?)),
        ["set", key, value, holds, ttl] => {
            let terms = Terms {
                condition: condition(holds)?,
                ttl_ms: ttl.parse().ok(),
            };
            Operation::Set((bytes(key), bytes(value), terms))
        }
        ["delete", key] => Operation::Delete(bytes(key)),
        ["add", key, delta] => {
            let delta = delta.parse().map_err(|_| "no number".to_owned())?;
            Operation::Increment((bytes(key), delta))
        }
        _ => return Err(format!("{word} is no operation")),
    })
}
